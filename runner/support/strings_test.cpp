// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/strings.hpp"

#include <doctest/doctest.h>

using Strings = std::vector<std::string>;

TEST_CASE("splitting and joining") {
    CHECK(vt::split_words("  a b\tc\n") == Strings{"a", "b", "c"});
    CHECK(vt::split_words(" ").empty());
    CHECK(vt::split("a,,b", ',') == Strings{"a", "", "b"});
    CHECK(vt::split("", ',') == Strings{""});
    CHECK(vt::join({"a", "b"}, ", ") == "a, b");
    CHECK(vt::trim(" x ") == "x");
    CHECK(vt::replace_all("aaa", "a", "aa") == "aaaaaa");
}

TEST_CASE("a quoted command line can be pasted") {
    CHECK(vt::shell_quote({"qemu", "-m", "512", ""}) == "qemu -m 512 ''");
    CHECK(vt::shell_quote({"it's", "a b", "$x"}) == R"('it'\''s' 'a b' '$x')");
}

TEST_CASE("what is not UTF-8 is replaced, what is stays") {
    CHECK(vt::to_valid_utf8("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") ==
          "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK(vt::to_valid_utf8("a\xFF") == "a\xEF\xBF\xBD");
    CHECK(vt::to_valid_utf8("\xC3") == "\xEF\xBF\xBD");
    CHECK(vt::to_valid_utf8("\xED\xA0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK(vt::to_valid_utf8("\xC0\xAF") == "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("the nearest names come first, distant ones not at all") {
    CHECK(vt::nearest("uptme", {"boot", "uptime", "uptime_native"}) == Strings{"uptime"});
    CHECK(vt::nearest("uptime", {"builtin.uptime", "boot"}) == Strings{"builtin.uptime"});
}
