// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/printable.hpp"

#include <string>

#include <doctest/doctest.h>

using vt::printable;
using vt::printable_line;

TEST_CASE("what a terminal obeys is escaped, all else stays as it is") {
    CHECK(printable("plain\ttext\nÄ€😀 \\x1b") == "plain\ttext\nÄ€😀 \\x1b");
    CHECK(printable("\x1b]0;title\x07") == "\\x1b]0;title\\x07");
    CHECK(printable(std::string_view("a\0b\x7f", 4)) == "a\\x00b\\x7f");
    CHECK(printable("cr\rlf\r\n") == "cr\\x0dlf\n");
    CHECK(printable("\xc2\x9b"
                    "31m \xc2\x80\xc2\xa0") == "\\u009b31m \\u0080\xc2\xa0");
    CHECK(printable("\xe2\x80\xae"
                    "txt.exe\xe2\x81\xa6") == "\\u202etxt.exe\\u2066");
    CHECK(printable("\x9b\xff\xe2\x82") == "\ufffd\ufffd\ufffd\ufffd");
    CHECK(printable("") == "");
}

TEST_CASE("in one line, line ends are escaped, too") {
    CHECK(printable_line("a\nb\r\nc\t") == "a\\x0ab\\x0ac\t");
}

TEST_CASE("nothing that a terminal obeys is left, whatever the bytes, and a second time changes nothing") {
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
        for (const int next : {0x0a, 0x0d, 0x1b, 0x80, 0x9b, 0xbf, 0x61}) {
            bytes += static_cast<char>(i);
            bytes += static_cast<char>(next);
        }
    }
    const auto text = printable(bytes);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        CHECK((byte >= 0x20 || c == '\n' || c == '\t'));
        CHECK(byte != 0x7f);
    }
    CHECK(text.find("\xc2\x9b") == std::string::npos);
    CHECK(printable(text) == text);
}
