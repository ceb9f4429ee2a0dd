// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/format.hpp"

#include "cfg/test_support.hpp"

#include <doctest/doctest.h>

using namespace vt::cfg;

namespace {

std::string json_of(const std::string& text) {
    const Program program = parse({Input::string(text)});
    Expander expander(program);
    JsonWriter writer(program);
    std::string out;
    writer.append(out, *expander.next());
    return out;
}

}  // namespace

TEST_CASE("canonical JSON sorts keys by code point and escapes only what it must") {
    CHECK(json_of("b = \"x\\y\nB = é\t1\nz = a\x1f"
                  "b\nA = q\"q\n") ==
          "{\"A\":\"q\\\"q\",\"B\":\"é   "
          "1\",\"b\":\"\\\"x\\\\y\",\"dep\":[],\"name\":\"\",\"shortname\":\"\","
          "\"z\":\"a\\u001fb\"}");
}

TEST_CASE("canonical JSON of maps, dependencies and suffixed keys") {
    CHECK(json_of("variants v:\n  - a: x, y\n    k = 1\n    suffix _s\nk = 2\n") ==
          "{\"_name_map_file\":{\"<string>\":\"(v=a)\"},\"_short_name_map_file\":{\"<string>\":\"a\"},"
          "\"dep\":[\"x\",\"y\"],\"k\":\"2\",\"k_s\":\"1\",\"name\":\"(v=a)\",\"shortname\":\"a\",\"v\":"
          "\"a\"}");
}

TEST_CASE("text form") {
    const Program program = parse({Input::string("variants:\n  - a: x\nk = 1\n")});
    Expander expander(program);
    std::string out;
    append_text(out, *expander.next(), 1, false, true);
    CHECK(out ==
          "dict    1:  a\n    _name_map_file = {'<string>': 'a'}\n    _short_name_map_file = {'<string>': "
          "'a'}\n"
          "    dep = ['x']\n    k = 1\n    name = a\n    shortname = a\n");
}
