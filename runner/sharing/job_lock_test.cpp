// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/job_lock.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <csignal>
#include <ctime>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::ProcessId;
using vt::take_job_lock;
namespace fs = std::filesystem;

namespace {

const std::string our_job(40, 'a');
const std::string their_job(40, 'b');

std::string file_of(const std::string& job, const char* last) {
    return "avocado-vt-joblock-" + job + "-0-" + last + ".pid";
}

std::size_t files_in(const fs::path& dir) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), {}));
}

void set_time(const fs::path& path, time_t seconds) {
    const timespec times[2]{{seconds, 0}, {seconds, 0}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("our jobs share the lock, in files that Avocado-VT reads") {
    const vt::TempDirectory dir("vt-test-");
    const auto self = ProcessId::of(::getpid());
    const auto first = take_job_lock(dir.path(), our_job, self);
    CHECK(vt::read_file(first.file) == std::to_string(::getpid()));
    const auto name = first.file.filename().string();
    CHECK(name.starts_with("avocado-vt-joblock-" + our_job + "-" + std::to_string(::getuid()) + "-"));
    CHECK(name.ends_with(".pid"));
    const auto second = take_job_lock(dir.path(), their_job, self);
    CHECK(second.warnings.empty());
    CHECK(files_in(dir.path()) == 2);
}

TEST_CASE("a job of Avocado-VT's refuses ours, by name, and nothing of ours stays") {
    const vt::TempDirectory dir("vt-test-");
    const auto theirs = dir.path() / file_of(their_job, "x1y2z3a4");
    vt::write_file_atomically(theirs, std::to_string(::getpid()));
    CHECK_THROWS_WITH_AS(take_job_lock(dir.path(), our_job, ProcessId::of(::getpid())),
                         doctest::Contains(("job " + their_job).c_str()), vt::JobLockedError);
    CHECK_THROWS_WITH_AS(take_job_lock(dir.path(), our_job, ProcessId::of(::getpid())),
                         doctest::Contains(("pid " + std::to_string(::getpid())).c_str()),
                         vt::JobLockedError);
    CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("the dead block nobody, nor does a number that was given out again") {
    const vt::TempDirectory dir("vt-test-");
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    // Not collected yet: a process that is there but has ended.
    const auto zombie = dir.path() / file_of(their_job, "x1y2z3a4");
    vt::write_file_atomically(zombie, std::to_string(child));
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    const auto reused = dir.path() / file_of(their_job, "x1y2z3a5");
    vt::write_file_atomically(reused, std::to_string(::getpid()));
    set_time(reused, ::time(nullptr) - 100'000'000);
    const auto lock = take_job_lock(dir.path(), our_job, ProcessId::of(::getpid()));
    CHECK(files_in(dir.path()) == 1);
    CHECK(fs::exists(lock.file));
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("what strangers put there is named and passed over") {
    const vt::TempDirectory dir("vt-test-");
    vt::write_file_atomically(dir.path() / file_of(their_job, "empty000"), "");
    vt::write_file_atomically(dir.path() / file_of(their_job, "garbage0"), "12 34\n");
    vt::write_file_atomically(dir.path() / file_of(their_job, "zero0000"), "0");
    vt::write_file_atomically(dir.path() / file_of(their_job, "minus000"), "-1");
    vt::write_file_atomically(dir.path() / file_of(their_job, "huge0000"), std::string(1000, '9'));
    REQUIRE(::mkfifo((dir.path() / file_of(their_job, "fifo0000")).c_str(), 0666) == 0);
    fs::create_symlink("/proc/self/stat", dir.path() / file_of(their_job, "link0000"));
    fs::create_directory(dir.path() / file_of(their_job, "dir00000"));
    vt::write_file_atomically(dir.path() / "avocado-vt-joblock-short-0-x1y2z3a4.pid", "1");
    const auto lock = take_job_lock(dir.path(), our_job, ProcessId::of(::getpid()));
    CHECK(lock.warnings.size() == 8);
    CHECK(lock.warnings.front().find(dir.path().string()) == 0);
}

TEST_CASE("a directory that is not there, and what is no job") {
    const vt::TempDirectory dir("vt-test-");
    const auto self = ProcessId::of(::getpid());
    CHECK_THROWS_WITH_AS(take_job_lock(dir.path() / "none", our_job, self),
                         doctest::Contains("plugins.vtjoblock.dir) is not there"), vt::Error);
    CHECK_THROWS_AS(take_job_lock(dir.path(), "../" + std::string(37, 'a'), self), vt::Error);
}

TEST_CASE("only a lock is released, once or twice") {
    const vt::TempDirectory dir("vt-test-");
    const auto lock = take_job_lock(dir.path(), our_job, ProcessId::of(::getpid()));
    const auto other = dir.path() / "precious";
    vt::write_file_atomically(other, "");
    CHECK_THROWS_WITH_AS(vt::release_job_lock(other), doctest::Contains("is no job lock"), vt::Error);
    vt::release_job_lock(lock.file);
    vt::release_job_lock(lock.file);
    CHECK(files_in(dir.path()) == 1);
    CHECK(fs::exists(other));
}
