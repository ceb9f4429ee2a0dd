// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal.hpp"

#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <csignal>
#include <fstream>

#include <doctest/doctest.h>
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
        CHECK(Journal::leftovers(dir.path()).empty());
    }
    CHECK(fs::is_empty(dir.path()));
}

TEST_CASE("what a killed owner left is taken down, kept things only on demand") {
    const vt::TempDirectory dir("vt-test-");
    const auto journals = dir.path() / "journal";
    vt::log::set_sink([](auto, auto, auto) {});
    in_dying_process([&] {
        const auto journal = Journal::open(journals);
        auto* leaked = new vt::JournalEntry(journal->add(file(dir.path() / "left")));
        auto* kept = new vt::JournalEntry(journal->add(file(dir.path() / "kept")));
        const auto gone = journal->add(file(dir.path() / "gone"));
        kept->keep();
        std::ofstream(dir.path() / "left") << "x";
        std::ofstream(dir.path() / "kept") << "x";
        std::ofstream(dir.path() / "gone") << "x";
        static_cast<void>(leaked);
    });
    std::ofstream(fs::directory_iterator(journals)->path(), std::ios::app) << "{\"id\":7,\"kin";
    CHECK(Journal::leftovers(journals).size() == 2);
    Journal::reap(journals);
    CHECK(fs::exists(dir.path() / "gone"));
    CHECK_FALSE(fs::exists(dir.path() / "left"));
    CHECK(fs::exists(dir.path() / "kept"));
    Journal::reap(journals, true);
    CHECK_FALSE(fs::exists(dir.path() / "kept"));
    CHECK(Journal::leftovers(journals).empty());
    vt::log::set_sink({});
}

TEST_CASE("a left process is killed, a stranger with its number is not") {
    const vt::TempDirectory dir("vt-test-");
    vt::log::set_sink([](auto, auto, auto) {});
    const pid_t victim = ::fork();
    if (victim == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto id = ProcessId::of(victim);
    in_dying_process([&] {
        const auto journal = Journal::open(dir.path());
        new vt::JournalEntry(
            journal->add({Resource::Kind::process, "stranger", {id.pid, id.start_time + 1}, false}));
    });
    Journal::reap(dir.path());
    CHECK(id.alive());
    in_dying_process([&] {
        const auto journal = Journal::open(dir.path());
        new vt::JournalEntry(journal->add({Resource::Kind::process, "victim", id, false}));
    });
    CHECK(Journal::reap(dir.path()) == 1);
    int status = 0;
    ::waitpid(victim, &status, 0);
    CHECK(WIFSIGNALED(status));
    vt::log::set_sink({});
}
