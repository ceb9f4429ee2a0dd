// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/log_extract.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <fstream>

#include <doctest/doctest.h>

namespace vt::driver {
namespace {

Expression plain(const std::string& pattern) {
    Expression expression;
    expression.pattern = pattern;
    return expression;
}

void append(const std::filesystem::path& file, const std::string& text) {
    std::ofstream(file, std::ios::app) << text;
}

}  // namespace

TEST_CASE("named groups of a growing log") {
    const TempDirectory place("extract");
    const auto file = place.path() / "log";
    FileExtractor log(file, {plain(".*port (?P<port>\\d+)"), plain("ready")});
    CHECK_FALSE(log.look());
    append(file, "listening on port 80\nready");
    CHECK(log.look());  // the last line need not be whole
    CHECK(log.lines().extracts().at("port") == "80");
    append(file, " now\nport 81\r\n");
    CHECK(log.look());
    CHECK(log.lines().extracts().at("port") == "81");
}

TEST_CASE("a log that is replaced is read anew") {
    const TempDirectory place("extract");
    const auto file = place.path() / "log";
    FileExtractor log(file, {plain("up"), plain("(?P<who>\\w+) down")});
    append(file, "up\n");
    CHECK_FALSE(log.look());
    CHECK(log.lines().unmatched() == std::vector<std::size_t>{1});
    write_file_atomically(file, "it down\n");
    CHECK_FALSE(log.look());
    CHECK(log.lines().unmatched() == std::vector<std::size_t>{0});
    CHECK(log.lines().extracts().at("who") == "it");
}

TEST_CASE("lines match from their beginning, with Python's flags") {
    Expression loud = plain("READY");
    loud.ignore_case = true;
    Expression bytes = plain("\\xff.");
    bytes.bytes = true;
    Expression ascii = plain("\\w+$");
    ascii.ascii = true;
    LineExtractor lines({loud, bytes, ascii});
    lines.feed("is ready\n");
    CHECK(lines.unmatched() == std::vector<std::size_t>{0, 1, 2});
    lines.feed("ready\n");
    lines.feed("\xff!\n");
    CHECK(lines.all_matched());
    lines.reset();
    lines.feed("\xc3\xa9\n");
    CHECK(lines.unmatched() == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("a group that took no part gives nothing; a wrong expression says where it is wrong") {
    LineExtractor lines({plain("(?:a(?P<a>\\d)|b(?P<b>\\d))")});
    lines.feed("b7\n");
    CHECK(lines.extracts() == std::map<std::string, std::string>{{"b", "7"}});
    CHECK_THROWS_AS(LineExtractor({plain("(oops")}), Error);
}

TEST_CASE("hostile lines cost no more than the limit") {
    LineExtractor lines({plain("(a+)+$")});
    lines.feed(std::string(40, 'a') + "b\n");
    CHECK_FALSE(lines.all_matched());
}

TEST_CASE("the last lines of a log") {
    const TempDirectory place("extract");
    const auto file = place.path() / "log";
    for (int i = 0; i < 100; ++i) {
        append(file, "line " + std::to_string(i) + "\n");
    }
    append(file, "\n\n");
    CHECK(last_lines(file, 2) == std::vector<std::string>{"line 98", "line 99"});
    CHECK(last_lines(file, 0).size() == 100);
    CHECK(last_lines(place.path() / "missing", 3).empty());
}

}  // namespace vt::driver
