// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/file_lock.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <chrono>
#include <csignal>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::Deadline;
using vt::FileLock;
using vt::Seconds;

TEST_CASE("one exclusive holder, many shared ones, and the holder is named") {
    const vt::TempDirectory dir("vt-test-");
    const auto path = dir.path() / "lock";
    vt::log::set_sink([](auto, auto, auto) {});
    {
        const auto first = FileLock::try_take(path, FileLock::Mode::exclusive, "the first");
        REQUIRE(first);
        CHECK_FALSE(FileLock::try_take(path, FileLock::Mode::shared, "x"));
        CHECK_THROWS_WITH_AS(
            FileLock::take(path, FileLock::Mode::exclusive, "x", Deadline::after(Seconds(0.05))),
            doctest::Contains("held by the first"), vt::TimeoutError);
    }
    const auto one = FileLock::try_take(path, FileLock::Mode::shared, "a");
    const auto two = FileLock::try_take(path, FileLock::Mode::shared, "b");
    CHECK(one);
    CHECK(two);
    vt::log::set_sink({});
}

TEST_CASE("a lock is had soon after its holder was killed") {
    const vt::TempDirectory dir("vt-test-");
    const auto path = dir.path() / "lock";
    vt::log::set_sink([](auto, auto, auto) {});
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const auto lock = FileLock::try_take(path, FileLock::Mode::exclusive, "child");
        [[maybe_unused]] const auto count = ::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    REQUIRE_FALSE(FileLock::try_take(path, FileLock::Mode::exclusive, "x"));
    ::kill(child, SIGKILL);
    const auto begin = std::chrono::steady_clock::now();
    CHECK_NOTHROW(FileLock::take(path, FileLock::Mode::exclusive, "x", Deadline::after(Seconds(20))));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
    vt::log::set_sink({});
}
