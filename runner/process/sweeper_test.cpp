// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/sweeper.hpp"

#include "runner/support/file.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::ProcessId;

namespace {

enum class Kind { inherits_environment, has_no_environment, only_forked };

/// A process that has left its parent, its group and its session, as a test's daemon would.
[[noreturn]] void be_daemon(Kind kind, int tell) {
    ::setsid();
    if (::fork() != 0) {
        ::_exit(0);
    }
    const pid_t self = ::getpid();
    [[maybe_unused]] const auto count = ::write(tell, &self, sizeof self);
    std::array<char*, 1> empty{nullptr};
    if (kind == Kind::has_no_environment) {
        ::execle("/bin/sleep", "sleep", "60", nullptr, empty.data());
    } else if (kind == Kind::inherits_environment) {
        ::execl("/bin/sleep", "sleep", "60", nullptr);
    }
    for (;;) {
        ::pause();
    }
}

bool comes_to_an_end(const ProcessId& id) {
    for (int i = 0; i < 1000 && id.alive(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return !id.alive();
}

void check_swept(Kind kind) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t neighbour = ::fork();
    if (neighbour == 0) {
        ::pause();
    }
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
        vt::process::start_sweeper(ProcessId::of(::getpid()));
        if (::fork() == 0) {
            be_daemon(kind, ends[1]);
        }
        ::pause();
    }
    pid_t survivor = 0;
    REQUIRE(::read(ends[0], &survivor, sizeof survivor) == sizeof survivor);
    const auto id = ProcessId::of(survivor);
    // Not before it is `sleep`: a mark in the environment is read from what was executed.
    while (kind != Kind::only_forked &&
           vt::read_file("/proc/" + std::to_string(survivor) + "/comm") != "sleep\n") {
        std::this_thread::yield();
    }
    ::kill(supervisor, SIGKILL);
    ::waitpid(supervisor, nullptr, 0);
    CHECK(comes_to_an_end(id));
    CHECK(ProcessId::of(neighbour).alive());
    ::kill(neighbour, SIGKILL);
    ::waitpid(neighbour, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace

TEST_CASE("what a killed supervisor's test had started is swept, its neighbours are not") {
    check_swept(Kind::inherits_environment);
    check_swept(Kind::has_no_environment);
    check_swept(Kind::only_forked);
}

TEST_CASE("what gave its mark away is of no task") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
        const auto self = ProcessId::of(::getpid());
        vt::process::start_sweeper(self);
        const pid_t guardian = ::fork();
        if (guardian == 0) {
            vt::process::clear_mark();
            [[maybe_unused]] const auto count = ::write(ends[1], "x", 1);
            ::pause();
        }
        char ready = 0;
        [[maybe_unused]] const auto count = ::read(ends[0], &ready, 1);
        const bool none = vt::process::kill_marked(self, vt::Deadline::after(vt::Seconds(10))) == 0;
        const bool lives = ProcessId::of(guardian).alive();
        ::kill(guardian, SIGKILL);
        ::_exit(none && lives ? 0 : 1);
    }
    int status = 0;
    ::waitpid(supervisor, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    ::close(ends[0]);
    ::close(ends[1]);
}
