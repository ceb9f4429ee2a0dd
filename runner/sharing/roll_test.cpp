// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/roll.hpp"

#include "runner/support/file.hpp"

#include <csignal>
#include <future>
#include <set>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::Roll;
using vt::RollEntry;
namespace fs = std::filesystem;

namespace {

std::vector<std::uint64_t> present(const Roll& roll) {
    std::vector<std::uint64_t> numbers;
    for (const auto& member : roll.members()) {
        if (member.present) {
            numbers.push_back(member.number);
        }
    }
    return numbers;
}

std::size_t files_in(const fs::path& dir) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(dir), {}));
}

}  // namespace

TEST_CASE("numbers rise, entries go with their owners, and what is left says more") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    {
        const auto one = roll.enter("one");
        auto two = roll.enter("two");
        CHECK(one.number() == 1);
        CHECK(two.number() == 2);
        CHECK(present(roll) == std::vector<std::uint64_t>{1, 2});
        CHECK(roll.members().front().text == "one");
        CHECK(roll.members().front().uid == ::geteuid());
        two.leave(" and more");
    }
    CHECK(present(roll).empty());
    REQUIRE(roll.members().size() == 1);
    CHECK(roll.members().front().text == "two and more");
    CHECK(roll.enter("three").number() == 3);
    roll.forget_absent();
    CHECK(files_in(dir.path()) == 0);
}

TEST_CASE("many who come at once have numbers of their own, and the later have seen the earlier") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    std::vector<std::future<std::pair<RollEntry, std::vector<std::uint64_t>>>> futures;
    for (int i = 0; i < 16; ++i) {
        futures.push_back(std::async(std::launch::async, [&] {
            auto entry = roll.enter("");
            return std::pair(std::move(entry), present(roll));
        }));
    }
    std::vector<std::pair<RollEntry, std::vector<std::uint64_t>>> all;
    for (auto& future : futures) {
        all.push_back(future.get());
    }
    std::set<std::uint64_t> numbers;
    for (const auto& [entry, seen] : all) {
        numbers.insert(entry.number());
        for (const auto& [other, ignored] : all) {
            if (other.number() < entry.number()) {
                CHECK(std::find(seen.begin(), seen.end(), other.number()) != seen.end());
            }
        }
    }
    CHECK(numbers.size() == 16);
}

TEST_CASE("a killed owner is waited for no longer, and its file can go") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto entry = roll.enter("child");
        [[maybe_unused]] const auto count = ::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    int told = 0;
    std::thread killer;
    Roll::wait(
        [&] {
            auto who = roll.members();
            std::erase_if(who, [](const auto& member) { return !member.present; });
            return who;
        },
        [&](const auto& who) {
            CHECK(who.at(0).text == "child");
            ++told;
            killer = std::thread([&] { ::kill(child, SIGKILL); });
        });
    killer.join();
    CHECK(told == 1);
    ::waitpid(child, nullptr, 0);
    CHECK(roll.members().size() == 1);
    roll.forget_absent();
    CHECK(roll.members().empty());
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST_CASE("what strangers put there neither counts nor blocks") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    const auto victim = dir.path() / "victim";
    vt::write_file_atomically(victim, "untouched");
    fs::create_symlink(victim, dir.path() / "x-000000000005");
    fs::create_directory(dir.path() / "x-000000000006");
    REQUIRE(::mkfifo((dir.path() / "x-000000000007").c_str(), 0666) == 0);
    vt::write_file_atomically(dir.path() / "x-000000000008", std::string(5000, 'x'));
    vt::write_file_atomically(dir.path() / "x-8", "");
    vt::write_file_atomically(dir.path() / "x-00000000000y", "");
    CHECK(roll.members().empty());
    CHECK(roll.enter("").number() == 9);
    roll.forget_absent();
    CHECK(vt::read_file(victim) == "untouched");
}
