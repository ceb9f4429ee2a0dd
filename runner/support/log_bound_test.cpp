// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/log_bound.hpp"

#include "runner/support/bounded_text.hpp"
#include "runner/support/file.hpp"
#include "runner/support/repeated_lines.hpp"
#include "runner/support/unique_fd.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>

TEST_CASE("a log file stays below its limit, with its first and last part, and the gap named") {
    const vt::TempDirectory dir("log-bound-test-");
    const auto path = dir.path() / "log";
    const vt::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    constexpr std::size_t limit = 8192;
    vt::LogBound bound(path, limit);
    constexpr int lines = 5000;
    std::size_t written = 0;
    for (int i = 0; i < lines; ++i) {
        const auto line = fmt::format("line {:06}\n", i);
        vt::write_all(fd.get(), line);
        bound.grown(line.size());
        written += line.size();
        REQUIRE(std::filesystem::file_size(path) <= limit + line.size());
    }
    const auto text = vt::read_file(path);
    CHECK(text.starts_with("line 000000\nline 000001\n"));
    CHECK(text.ends_with("line 004998\nline 004999\n"));
    const auto gap = text.find("[... ");
    REQUIRE(gap != std::string::npos);
    const auto missing = std::stoul(text.substr(gap + 5));
    const auto gap_line = text.find('\n', gap) + 1 - gap;
    CHECK(missing + text.size() - gap_line == written);
    CHECK(text[gap - 1] == '\n');
    CHECK(text.substr(gap + gap_line, 5) == "line ");
    CHECK(text.find("[... ", gap + 1) == std::string::npos);
}

TEST_CASE("a log that another process appends to is cut by looking at it") {
    const vt::TempDirectory dir("log-bound-test-");
    const auto path = dir.path() / "log";
    vt::write_file_atomically(path, std::string(100000, 'x') + "\nthe end\n", 0600);
    vt::LogBound(path, 10000).check();
    CHECK(std::filesystem::file_size(path) <= 10000);
    CHECK(vt::read_file(path).ends_with("x\nthe end\n"));
}

TEST_CASE("no limit") {
    const vt::TempDirectory dir("log-bound-test-");
    const auto path = dir.path() / "log";
    vt::write_file_atomically(path, std::string(100000, 'x'), 0600);
    vt::LogBound(path, 0).check();
    CHECK(std::filesystem::file_size(path) == 100000);
}

TEST_CASE("the first and the last part of a text without end") {
    vt::BoundedText text(1000);
    std::string passed;
    for (int i = 0; i < 1000; ++i) {
        const auto piece = fmt::format("{:09}\n", i);
        passed += text.take(piece) ? piece : "";
    }
    CHECK(passed.size() == 750);
    CHECK(text.missing() == 10000 - 750 - 250);
    CHECK(text.gap_text().find("9000 bytes") != std::string::npos);
    const auto rest = text.finish(1000);
    CHECK(rest.size() == 25);
    CHECK(rest.back() == "000000999\n");
    CHECK(text.finish(1000).empty());

    vt::BoundedText short_one(1000);
    CHECK(short_one.take("x"));
    CHECK(short_one.gap_text().empty());
}

TEST_CASE("in a hurry only the very last goes") {
    vt::BoundedText text(1000);
    for (int i = 0; i < 1000; ++i) {
        text.take(fmt::format("{:09}\n", i));
    }
    CHECK(text.finish(20).size() == 2);
    CHECK(text.missing() == 10000 - 750 - 20);
}

TEST_CASE("lines that come over and over again are counted") {
    vt::RepeatedLines lines;
    int passed = 0;
    for (int i = 0; i < 10000; ++i) {
        passed += lines.take("the same") ? 1 : 0;
    }
    // A slow machine may need some seconds for it.
    CHECK(passed >= vt::RepeatedLines::passed_per_second);
    CHECK(passed < 5000);
    CHECK(lines.take("another"));
    const auto count = lines.take_count();
    CHECK(count + static_cast<unsigned>(passed) == 10000);
    CHECK(vt::RepeatedLines::text(count).find(fmt::format("{} more times", count)) != std::string::npos);
    CHECK(lines.take_count() == 0);
}
