// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/deadline.hpp"

#include <doctest/doctest.h>

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
