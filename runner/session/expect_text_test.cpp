// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/expect_text.hpp"

#include "runner/session/terminal.hpp"

#include <doctest/doctest.h>

namespace vt {
namespace {

const std::string long_command = "echo " + std::string(60, 'x') + " " + std::string(40, 'z');

}  // namespace

TEST_CASE("an echo is the command and the end of its line") {
    CHECK(remove_command_echo("uptime\n 1 day\n# ", "uptime") == " 1 day\n# ");
    CHECK(remove_command_echo("uptime", "uptime").empty());
    CHECK(has_command_echo("uptime\n", "uptime"));
    CHECK_FALSE(has_command_echo("uptime", "uptime"));
    CHECK_FALSE(has_command_echo("uptime -p\n", "uptime"));
}

TEST_CASE("output without an echo is left alone") {
    CHECK(remove_command_echo(" 1 day\n# ", "uptime") == " 1 day\n# ");
    CHECK(remove_command_echo("upt", "uptime") == "upt");
    CHECK(remove_command_echo("l\ns\n", "ls") == "l\ns\n");
    CHECK(remove_command_echo("anything\n", "") == "anything\n");
    CHECK(remove_command_echo("", "ls").empty());
}

TEST_CASE("an echo bears the marks of line editors") {
    SUBCASE("control sequences") {
        CHECK(remove_command_echo("\x1b[Kup\x1b[1mtime\x1b[0m\nx\n", "uptime") == "x\n");
    }
    SUBCASE("readline's wrap inside a word prints the next character twice") {
        const auto echo = long_command.substr(0, 30) + "x\r" + long_command.substr(30);
        CHECK(remove_command_echo(echo + "\nout\n", long_command) == "out\n");
    }
    SUBCASE("readline's wrap before a blank, and busybox's") {
        const auto blank = long_command.find(' ', 10);
        for (const std::string mark : {" \r", " \b"}) {
            const auto echo = long_command.substr(0, blank) + mark + long_command.substr(blank);
            CHECK(remove_command_echo(echo + "\nout\n", long_command) == "out\n");
        }
    }
    SUBCASE("a terminal that breaks lines itself") {
        const auto echo = long_command.substr(0, 70) + "\n" + long_command.substr(70);
        CHECK(remove_command_echo(echo + "\nout\n", long_command) == "out\n");
    }
}

TEST_CASE("the prompt is the last line that is not empty") {
    CHECK(remove_prompt("a\nb\n[root@x ~]# ") == "a\nb\n");
    CHECK(remove_prompt("a\n\n# \n\n") == "a\n\n");
    CHECK(remove_prompt("# ").empty());
    CHECK(remove_prompt("").empty());
    CHECK(remove_prompt("\n\n").empty());
}

TEST_CASE("a known prompt behind output without a newline is cut off alone") {
    CHECK(remove_prompt("foo[root@x ~]# ", "[root@x ~]# ") == "foo");
    CHECK(remove_prompt("a\nfoo[root@x ~]#", "[root@x ~]# ") == "a\nfoo");
    CHECK(remove_prompt("foo[root@x /]# ", "[root@x ~]# ").empty());
    CHECK(remove_prompt("a\n[root@x ~]# ", "[root@x ~]# ") == "a\n");
    CHECK_FALSE(ends_with_prompt("foo", ""));
}

TEST_CASE("last lines and words end where Python's do") {
    CHECK(last_nonempty_line("50%\r100%\r# ") == "# ");
    CHECK(last_nonempty_line("a\nb  \n  \n") == "b  ");
    CHECK(last_nonempty_line(" \n").empty());
    CHECK(last_word("one two \n") == "two");
    CHECK(last_word("").empty());
    CHECK(lines_of("a\r\nb\n\nc").size() == 4);
    CHECK(lines_of("a\n").size() == 1);
}

TEST_CASE("the filter drops what is meant for the terminal, across chunks") {
    const std::string stream =
        "\x1b[?2004h[root]# \x1b[6nls\r\n\x1b[?2004l\rfile\r\n\x1b[31mred\x1b[0m\r50%\r\n";
    const std::string wanted = "[root]# ls\nfile\n\x1b[31mred\x1b[0m\r50%\n";
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
        TerminalFilter filter;
        auto out = filter.feed(stream.substr(0, cut));
        out += filter.feed(stream.substr(cut));
        out += filter.flush();
        CHECK(out == wanted);
    }
    TerminalFilter bytewise;
    std::string out;
    for (const char c : stream) {
        out += bytewise.feed({&c, 1});
    }
    CHECK(out + bytewise.flush() == wanted);
}

TEST_CASE("the filter lets through what is no sequence") {
    TerminalFilter filter;
    CHECK(
        filter.feed("\x1b[999999999999999999999999999999999999999999999999999999999999999999999999999999") ==
        "\x1b[999999999999999999999999999999999999999999999999999999999999999999999999999999");
    CHECK(filter.feed("\x1b(B\x1b[") == "\x1b(B");
    CHECK(filter.flush() == "\x1b[");
    CHECK(filter.feed("a\r\r\nb\r") == "a\r\nb");
    CHECK(filter.flush() == "\r");
}

TEST_CASE("control sequences of all kinds can be stripped") {
    CHECK(strip_control_sequences("\x1b[01;31mred\x1b[0m") == "red");
    CHECK(strip_control_sequences("\x1b]0;title\x07prompt") == "prompt");
    CHECK(strip_control_sequences("\x1b]0;title\x1b\\prompt") == "prompt");
    CHECK(strip_control_sequences("\x1b(Bx\x1b=y\x1b") == "xy");
    CHECK(strip_control_sequences("plain") == "plain");
}

}  // namespace vt
