// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal_file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;
using vt::Journal;
using vt::ProcessId;
using vt::Resource;

namespace {

/// Runs \p work in a child that dies without any destructor, as by SIGKILL.
template <typename Work>
void in_dying_process(const Work& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        work();
        ::raise(SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
}

Resource file(const fs::path& path) {
    return {Resource::Kind::file, path.string(), {}, false};
}

void touch(const fs::path& path) {
    std::ofstream(path) << "x";
}

fs::path the_file_in(const fs::path& dir) {
    return fs::directory_iterator(dir)->path();
}

/// A journal with one line, whose owner is dead.
void leave(const fs::path& journals, const Resource& resource) {
    in_dying_process([&] { new vt::JournalEntry(Journal::open(journals)->add(resource)); });
}

/// A child that does nothing until it is killed.
struct Sleeper {
    ProcessId id;
    mutable int status = 0;

    Sleeper() {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
        id = ProcessId::of(pid);
    }
    ~Sleeper() {
        if (status == 0) {
            ::kill(id.pid, SIGKILL);
            ::waitpid(id.pid, nullptr, 0);
        }
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    bool was_killed() const {
        ::waitpid(id.pid, &status, 0);
        return WIFSIGNALED(status);
    }
};

/// Keeps the log from the test's output.
struct Silence {
    Silence() {
        vt::log::set_sink([](auto, auto, auto) {});
    }
    ~Silence() { vt::log::set_sink({}); }
    Silence(const Silence&) = delete;
    Silence& operator=(const Silence&) = delete;
};

using Fate = vt::Reaped::Fate;
using Fates = std::vector<Fate>;

Fates fates(const std::vector<vt::Reaped>& reaped) {
    Fates found;
    for (const auto& one : reaped) {
        found.push_back(one.fate);
    }
    return found;
}

}  // namespace

TEST_CASE("a process is known by pid and start time") {
    const auto self = ProcessId::of(::getpid());
    CHECK(self.alive());
    CHECK_FALSE(ProcessId{self.pid, self.start_time + 1}.alive());
    CHECK_FALSE(ProcessId::of(999'999'999).alive());
}

TEST_CASE("a clean owner leaves no journal") {
    const vt::TempDirectory dir("vt-test-");
    {
        const auto journal = Journal::open(dir.path());
        const auto entry = journal->add(file(dir.path() / "x"));
        CHECK_FALSE(fs::is_empty(dir.path()));
        CHECK(Journal::open(dir.path()) == journal);
        CHECK(Journal::reap(dir.path()).empty());
    }
    CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("what a killed owner left is taken down, kept things only on demand") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    in_dying_process([&] {
        const auto journal = Journal::open(journals);
        auto* leaked = new vt::JournalEntry(journal->add(file(dir.path() / "left")));
        auto* kept = new vt::JournalEntry(journal->add(file(dir.path() / "kept")));
        const auto gone = journal->add(file(dir.path() / "gone"));
        kept->keep();
        touch(dir.path() / "left");
        touch(dir.path() / "kept");
        touch(dir.path() / "gone");
        static_cast<void>(leaked);
    });
    std::ofstream(the_file_in(journals), std::ios::app) << "{\"id\":7,\"kin";
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::kept, Fate::taken_down});
    CHECK(fs::exists(dir.path() / "gone"));
    CHECK_FALSE(fs::exists(dir.path() / "left"));
    CHECK(fs::exists(dir.path() / "kept"));
    Journal::reap(journals, true);
    CHECK_FALSE(fs::exists(dir.path() / "kept"));
    CHECK(Journal::reap(journals).empty());
}

TEST_CASE("a left process is killed, a stranger with its number is not") {
    const vt::TempDirectory dir("vt-test-");
    const Silence silence;
    const Sleeper victim;
    leave(dir.path(), {Resource::Kind::process, "stranger", {victim.id.pid, victim.id.start_time + 1}});
    CHECK(fates(Journal::reap(dir.path())) == Fates{Fate::was_gone});
    CHECK(victim.id.alive());
    leave(dir.path(), {Resource::Kind::process, "victim", victim.id});
    CHECK(fates(Journal::reap(dir.path())) == Fates{Fate::taken_down});
    CHECK(victim.was_killed());
}

TEST_CASE("a kept process that has ended by itself is forgotten") {
    const vt::TempDirectory dir("vt-test-");
    ProcessId ended;
    {
        const Sleeper sleeper;
        ended = sleeper.id;
    }
    in_dying_process([&] { Journal::open(dir.path())->add({Resource::Kind::process, "vm", ended}).keep(); });
    CHECK(fates(Journal::reap(dir.path())) == Fates{Fate::was_gone});
    CHECK(Journal::reap(dir.path()).empty());
}

TEST_CASE("what somebody else still needs stays until that process has ended") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    fs::create_directory(dir.path() / "job");
    {
        const Sleeper avocado;
        leave(journals, {Resource::Kind::directory, dir.path() / "job", {}, false, avocado.id});
        CHECK(fates(Journal::reap(journals, true)) == Fates{Fate::in_use});
        CHECK(fs::exists(dir.path() / "job"));
    }
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::taken_down});
    CHECK_FALSE(fs::exists(dir.path() / "job"));
}

TEST_CASE("after a reboot numbers of processes mean nothing") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    touch(dir.path() / "left");
    const Sleeper innocent;
    // Owner, process and holder have numbers that somebody else has today.
    fs::create_directory(journals);
    std::ofstream(journals / fmt::format("{}-{}.jsonl", innocent.id.pid, innocent.id.start_time))
        << R"({"boot":"00000000-0000-4000-8000-000000000000","pids":)" << vt::World::ours().pids << "}\n"
        << vt::line_of(1, {Resource::Kind::file, dir.path() / "left", {}, false, innocent.id}) << "\n"
        << vt::line_of(2, {Resource::Kind::process, "vm", innocent.id}) << "\n";
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::was_gone, Fate::taken_down});
    CHECK(innocent.id.alive());
    CHECK_FALSE(fs::exists(dir.path() / "left"));
    CHECK(fs::is_empty(journals) == false);  // the reapers' lock
    CHECK(Journal::reap(journals).empty());
}

TEST_CASE("the owner of a journal of another container is known by its lock") {
    const vt::TempDirectory dir("vt-test-");
    const Silence silence;
    touch(dir.path() / "left");
    const auto journals = dir.path() / "journal";
    fs::create_directory(journals);
    auto world = vt::World::ours();
    ++world.pids;
    const auto path = journals / "999999999-1.jsonl";
    std::ofstream(path) << vt::first_line(world) << "\n" << vt::line_of(1, file(dir.path() / "left")) << "\n";
    {
        const vt::UniqueFd owner(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        REQUIRE(::flock(owner.get(), LOCK_EX) == 0);
        CHECK(Journal::reap(journals).empty());
    }
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::taken_down});
}

TEST_CASE("a line torn by a full disk does not spoil the next") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    touch(dir.path() / "left");
    in_dying_process([&] {
        const auto journal = Journal::open(journals);
        auto* first = new vt::JournalEntry(journal->add(file(dir.path() / "first")));
        // The limit on files' size tears a line as a full disk does.
        const auto size = fs::file_size(the_file_in(journals)) + 10;
        ::signal(SIGXFSZ, SIG_IGN);
        rlimit before{};
        ::getrlimit(RLIMIT_FSIZE, &before);
        const rlimit limit{size, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        try {
            journal->add(file(dir.path() / "torn"));
            ::_exit(1);
        } catch (const vt::SystemError&) {
            ::setrlimit(RLIMIT_FSIZE, &before);
        }
        new vt::JournalEntry(journal->add(file(dir.path() / "left")));
        static_cast<void>(first);
    });
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::taken_down, Fate::was_gone});
    CHECK_FALSE(fs::exists(dir.path() / "left"));
}

TEST_CASE("a forked child does not write into its parent's journal") {
    const vt::TempDirectory dir("vt-test-");
    const auto journal = Journal::open(dir.path());
    auto entry = journal->add(file(dir.path() / "x"));
    const auto size = fs::file_size(the_file_in(dir.path()));
    const pid_t child = ::fork();
    if (child == 0) {
        entry = {};
        ::_exit(Journal::open(dir.path()) == journal ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(fs::file_size(the_file_in(dir.path())) == size);
}

TEST_CASE(
    "settings of the kernel get their former values back, and what only a program undoes is undone by it") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    const auto setting = dir.path() / "enabled";
    std::ofstream(setting) << "[always] madvise never\n";
    Resource resource{Resource::Kind::setting, setting.string(), {}, false};
    resource.value = "never";
    const Resource command{Resource::Kind::command, "touch\n" + (dir.path() / "un done").string(), {}, false};
    const Resource failing{Resource::Kind::command, "false", {}, false};
    in_dying_process([&] {
        const auto journal = Journal::open(journals);
        new vt::JournalEntry(journal->add(resource));
        new vt::JournalEntry(journal->add(command));
    });
    leave(journals, failing);
    auto found = fates(Journal::reap(journals));
    std::sort(found.begin(), found.end());
    CHECK(found == Fates{Fate::taken_down, Fate::taken_down, Fate::resisted});
    CHECK(vt::read_file(setting) == "never");
    CHECK(fs::exists(dir.path() / "un done"));
}

TEST_CASE("after a reboot the kernel's settings are its own") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    const Silence silence;
    const auto setting = dir.path() / "run";
    std::ofstream(setting) << "1";
    Resource resource{Resource::Kind::setting, setting.string(), {}, false};
    resource.value = "0";
    leave(journals, resource);
    const auto file = the_file_in(journals);
    vt::write_file_atomically(file,
                              vt::replace_all(vt::read_file(file), vt::World::ours().boot, "another boot"));
    CHECK(fates(Journal::reap(journals)) == Fates{Fate::was_gone});
    CHECK(vt::read_file(setting) == "1");
}
