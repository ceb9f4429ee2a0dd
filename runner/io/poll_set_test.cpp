// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/poll_set.hpp"

#include "runner/support/unique_fd.hpp"

#include <array>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

using vt::Deadline;
using vt::PollSet;
using vt::Seconds;

TEST_CASE("a poll set tells by name what is ready") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const vt::UniqueFd input(ends[0]);
    vt::UniqueFd output(ends[1]);
    PollSet set;
    const auto none = set.add(-1, POLLIN);
    const auto reading = set.add(input.get(), POLLIN);
    CHECK_FALSE(set.wait(Deadline::after(Seconds(0))));
    CHECK_FALSE(set.ready(reading));
    REQUIRE(::write(output.get(), "x", 1) == 1);
    CHECK(set.wait(Deadline::after(Seconds(60))));
    CHECK(set.ready(reading));
    CHECK((set.events(reading) & POLLIN) != 0);
    CHECK_FALSE(set.ready(none));
    CHECK_FALSE(set.ready(PollSet::Ticket()));
    char byte = 0;
    REQUIRE(::read(input.get(), &byte, 1) == 1);
    output.reset();
    CHECK(set.wait(Deadline::never()));
    CHECK((set.events(reading) & POLLHUP) != 0);
}
