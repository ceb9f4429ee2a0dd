// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/comparison.hpp"

#include "runner/support/file.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace vt::block;

TEST_CASE("white space at a line's end, and a missing last newline, are no difference") {
    CHECK(unified_diff("a \nb\t\r\n\n", "a\nb\n\n", "x", "y").empty());
    CHECK(unified_diff("a\nb", "a\nb\n", "x", "y").empty());
    CHECK(unified_diff("", "", "x", "y").empty());
    CHECK_FALSE(unified_diff(" a\n", "a\n", "x", "y").empty());
}

TEST_CASE("a unified diff as diff -u writes it") {
    CHECK(
        unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "x.out", "x.out.bad") ==
        "--- x.out\n+++ x.out.bad\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    CHECK(unified_diff("", "a\n", "x", "y") == "--- x\n+++ y\n@@ -0,0 +1 @@\n+a\n");
    CHECK(unified_diff("a\n", "", "x", "y") == "--- x\n+++ y\n@@ -1 +0,0 @@\n-a\n");
}

TEST_CASE("changes far from one another are hunks of their own, near ones are one") {
    std::string before;
    for (int i = 0; i < 30; ++i) {
        before += std::to_string(i) + "\n";
    }
    auto after = before;
    after.replace(after.find("\n2\n"), 3, "\ntwo\n");
    after.replace(after.find("\n25\n"), 4, "\n");
    const auto text = unified_diff(before, after, "x", "y");
    CHECK(text ==
          "--- x\n+++ y\n@@ -1,6 +1,6 @@\n 0\n 1\n-2\n+two\n 3\n 4\n 5\n"
          "@@ -23,7 +23,6 @@\n 22\n 23\n 24\n-25\n 26\n 27\n 28\n");
    auto near = before;
    near.replace(near.find("\n2\n"), 3, "\ntwo\n");
    near.replace(near.find("\n8\n"), 3, "\neight\n");
    const auto joined = unified_diff(before, near, "x", "y");
    CHECK(joined.find("\n@@") == joined.rfind("\n@@"));
    CHECK(joined.find("@@ -1,12 +1,12 @@") != std::string::npos);
}

TEST_CASE("very many different lines are still told of") {
    std::string one;
    std::string other;
    for (int i = 0; i < 8000; ++i) {
        one += "a" + std::to_string(i) + "\n";
        other += "b" + std::to_string(i) + "\n";
    }
    CHECK(unified_diff(one, other, "x", "y").find("@@ -1,8000 +1,8000 @@") != std::string::npos);
}

TEST_CASE("which file has the expected output") {
    const vt::TempDirectory dir("vt-block-");
    const auto script = dir.path() / "030";
    const auto make = [&](const std::string& name) { vt::write_file_atomically(dir.path() / name, ""); };
    CHECK(expected_output(script, "qcow2", "writeback", "pc").filename() == "030.out");
    make("030.pc.out");
    CHECK(expected_output(script, "qcow2", "writeback", "pc").filename() == "030.pc.out");
    make("030.out.qcow2");
    CHECK(expected_output(script, "qcow2", "writeback", "pc").filename() == "030.out.qcow2");
    make("030.out.nocache");
    CHECK(expected_output(script, "qcow2", "writeback", "pc").filename() == "030.out.qcow2");
    CHECK(expected_output(script, "qcow2", "none", "pc").filename() == "030.out.nocache");
}
