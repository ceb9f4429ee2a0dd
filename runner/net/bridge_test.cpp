// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/bridge.hpp"

#include "runner/support/error.hpp"

#include <doctest/doctest.h>

namespace vt {

TEST_CASE("link-local addresses follow from the MAC") {
    CHECK(link_local_address(MacAddress::parse("9a:00:11:22:33:44")) == "fe80::9800:11ff:fe22:3344");
    CHECK(link_local_address(MacAddress::parse("00:00:00:00:00:01")) == "fe80::200:ff:fe00:1");
}

TEST_CASE("what is no bridge is told") {
    CHECK(bridge_obstacle("no-such-bridge") == "there is no bridge no-such-bridge");
    CHECK(bridge_obstacle("lo") == "there is no bridge lo");
    CHECK(bridge_obstacle("../../etc"));
    CHECK(bridge_obstacle(""));
    CHECK_THROWS_AS(join_bridge("a-name-that-is-too-long-for-it", "lo"), Error);
}

}  // namespace vt
