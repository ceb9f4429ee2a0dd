// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/roll.hpp"

#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"

#include <csignal>
#include <future>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::Roll;
using vt::RollEntry;
namespace fs = std::filesystem;
using namespace std::string_literals;

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

TEST_CASE(
    "nobody can use up the numbers: far beyond all others they are not followed, but their owners were "
    "there") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    std::vector<vt::FileLock> strangers;
    for (const char* number : {"999999999999", "999999999999999999", "1000000000000"}) {
        strangers.push_back(*vt::FileLock::try_take(dir.path() / ("x-"s + number),
                                                    vt::FileLock::Mode::exclusive, "stranger"));
    }
    // Neither of these is a number at all.
    vt::write_file_atomically(dir.path() / "x-18446744073709551615", "");
    vt::write_file_atomically(dir.path() / "x-0000000000009", "");
    const auto first = roll.enter("first");
    const auto second = roll.enter("second");
    CHECK(first.number() == 1);
    CHECK(second.number() == 2);
    const auto before = [&](const RollEntry& entry) {
        std::vector<std::uint64_t> numbers;
        for (const auto& member : roll.before(entry)) {
            numbers.push_back(member.number);
        }
        return numbers;
    };
    using Numbers = std::vector<std::uint64_t>;
    CHECK(before(first) == Numbers{999999999999, 1000000000000, 999999999999999999});
    CHECK(before(second) == Numbers{1, 999999999999, 1000000000000, 999999999999999999});
    // Files that come later change nothing, whatever they make of the numbers.
    vt::write_file_atomically(dir.path() / "x-000999999999", "");
    strangers.pop_back();
    CHECK(before(first) == Numbers{999999999999, 999999999999999999});
    const auto third = roll.enter("third");
    CHECK(third.number() == 1000000000);
    CHECK(before(third) == Numbers{1, 2, 999999999999, 999999999999999999});
    CHECK(before(first) == Numbers{999999999999, 999999999999999999});
}

TEST_CASE("a file that was taken away is not missed, and a later one of its name is not removed") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    std::optional<RollEntry> first = roll.enter("first");
    fs::remove(dir.path() / "x-000000000001");
    const auto second = roll.enter("second");
    CHECK(second.number() == 1);
    first.reset();
    CHECK(present(roll) == std::vector<std::uint64_t>{1});
}

TEST_CASE("who waits for long is heard once") {
    const vt::TempDirectory dir("vt-test-");
    const Roll roll(dir.path(), "x-");
    std::optional<RollEntry> first = roll.enter("first");
    const auto second = roll.enter("second");
    int said = 0;
    Roll::wait([&] { return roll.before(second); }, [](const auto&) {},
               {vt::Seconds{0.01}, [&](const auto& who) {
                    ++said;
                    CHECK(who.at(0).text == "first");
                    first.reset();
                }});
    CHECK(said == 1);
}
