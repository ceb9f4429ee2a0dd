// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/deadline.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::Deadline;
using vt::Seconds;

TEST_CASE("a deadline of zero or less has passed at once") {
    CHECK(Deadline::after(Seconds(0)).expired());
    CHECK(Deadline::after(Seconds(-3)).expired());
    CHECK(Deadline::after(Seconds(-3)).poll_timeout_ms() == 0);
}

TEST_CASE("never is never") {
    CHECK_FALSE(Deadline::never().expired());
    CHECK(Deadline::never().poll_timeout_ms() == -1);
    CHECK(Deadline::after(Seconds(1e300)).poll_timeout_ms() == -1);
}

TEST_CASE("a part of a millisecond is awaited, not spun on") {
    CHECK(Deadline::after(Seconds(0.0005)).poll_timeout_ms() >= 0);
    CHECK(Deadline::after(Seconds(10)).poll_timeout_ms() <= 10000);
    CHECK(Deadline::after(Seconds(10)).poll_timeout_ms() > 9000);
}

TEST_CASE("the sooner of two") {
    const auto soon = Deadline::after(Seconds(1));
    const auto late = Deadline::after(Seconds(100));
    CHECK(late.sooner(soon).total() == Seconds(1));
    CHECK(soon.sooner(Deadline::never()).total() == Seconds(1));
    CHECK(Deadline::never().sooner(soon).total() == Seconds(1));
}

TEST_CASE("a pause moves deadlines that exist already") {
    const auto deadline = Deadline::after(Seconds(1));
    Deadline::add_pause(Seconds(50));
    CHECK(deadline.remaining().count() > 49);
    Deadline::add_pause(Seconds(-50));
    CHECK(deadline.remaining().count() <= 1);
}

TEST_CASE(
    "what this process books moves the deadlines of a child that exists already, and the other way round") {
    Deadline::share_pauses();
    int told[2];
    int answer[2];
    REQUIRE(::pipe(told) == 0);
    REQUIRE(::pipe(answer) == 0);
    const auto ours = Deadline::after(Seconds(1));
    const pid_t child = ::fork();
    if (child == 0) {
        const auto deadline = Deadline::after(Seconds(1));
        char byte = 'r';
        ::write(answer[1], &byte, 1);
        ::read(told[0], &byte, 1);
        byte = deadline.remaining().count() > 49 ? 'y' : 'n';
        Deadline::add_pause(Seconds(50));
        ::write(answer[1], &byte, 1);
        ::_exit(0);
    }
    char byte = 0;
    REQUIRE(::read(answer[0], &byte, 1) == 1);
    REQUIRE(byte == 'r');
    const auto before = Deadline::pause_free_now();
    Deadline::add_pause(Seconds(50));
    CHECK(Deadline::pause_free_now() < before);
    REQUIRE(::write(told[1], &byte, 1) == 1);
    REQUIRE(::read(answer[0], &byte, 1) == 1);
    CHECK(byte == 'y');
    CHECK(ours.remaining().count() > 90);
    Deadline::add_pause(Seconds(-100));
    ::waitpid(child, nullptr, 0);
}
