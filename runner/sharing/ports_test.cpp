// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/ports.hpp"

#include "runner/support/error.hpp"

#include <set>
#include <vector>

#include <doctest/doctest.h>

namespace vt {

TEST_CASE("leased ports differ, and a port comes back with its lease") {
    std::set<std::uint16_t> seen;
    {
        std::vector<PortLease> leases;
        for (int i = 0; i < 4; ++i) {
            leases.push_back(PortLease::take(45210, 45213));
            seen.insert(leases.back().port());
        }
        CHECK(seen.size() == 4);
        CHECK_THROWS_WITH_AS(PortLease::take(45210, 45213), doctest::Contains("no port from 45210 to 45213"),
                             Error);
    }
    CHECK(seen.contains(PortLease::take(45210, 45213).port()));
}

TEST_CASE("MAC addresses") {
    const auto mac = MacAddress::random();
    CHECK(mac.text.starts_with("9a:"));
    CHECK(MacAddress::parse(mac.text) == mac);
    CHECK(MacAddress::random().text != mac.text);
    CHECK(MacAddress::parse("9A:00:11:22:33:FF").text == "9a:00:11:22:33:ff");
    CHECK_THROWS_AS(MacAddress::parse("9a:00:11:22:33"), Error);
    CHECK_THROWS_AS(MacAddress::parse("9a:00:11:22:33:4g"), Error);
    CHECK_THROWS_AS(MacAddress::parse("9a:00:11:22:33:44,x=y"), Error);
}

}  // namespace vt
