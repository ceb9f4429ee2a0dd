// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/version_interval.hpp"

#include "runner/support/error.hpp"

#include <doctest/doctest.h>

namespace vt {

TEST_CASE("versions compare by their numbers") {
    CHECK(compare_versions("7.2.22", "7.10") < 0);
    CHECK(compare_versions("7.2", "7.2.0") == 0);
    CHECK(compare_versions("6.1.0-56-amd64", "6.1") == 0);
    CHECK(compare_versions("10.0", "9.9.9") > 0);
}

TEST_CASE("intervals of versions") {
    CHECK(VersionInterval::parse("[6.2.0, )").contains("7.2.22"));
    CHECK(VersionInterval::parse("[6.2.0,)").contains("6.2"));
    CHECK(!VersionInterval::parse("(6.2.0, )").contains("6.2.0"));
    CHECK(!VersionInterval::parse("[5.0, 7.0)").contains("7.0"));
    CHECK(VersionInterval::parse("(, 7.0]").contains("7.0"));
    for (const char* bad : {"", "7.2", "[7.2]", "[1,2,3]", "{1,2}", "["}) {
        CHECK_THROWS_AS(VersionInterval::parse(bad), Error);
    }
}

}  // namespace vt
