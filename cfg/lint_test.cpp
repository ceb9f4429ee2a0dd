// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/lint.hpp"

#include "cfg/test_support.hpp"

#include <doctest/doctest.h>

using namespace vt::cfg;

namespace {

/// `RULE@LINE:COLUMN …` of a text.
std::string rules(const std::string& text) {
    std::string result;
    for (const Finding& finding : lint(parse({Input::string(text)}))) {
        result += result.empty() ? "" : " ";
        result += finding.rule + "@" + std::to_string(finding.where.line) + ":" +
                  std::to_string(finding.where.column);
    }
    return result;
}

const std::string two = "variants:\n  - a:\n  - b:\n";  // 3 lines

}  // namespace

TEST_CASE("a clean configuration has no findings") {
    CHECK(rules(two + "only a\nb: k = 1\n!b: k = ${name}\nl = ${k}\nno x.b\nvariants:\n  - x:\n").empty());
}

TEST_CASE("filters that match nothing") {
    CHECK(rules(two + "no zz\n") == "filter-matches-nothing@4:4");
    CHECK(rules(two + "only a, zz..b\n") == "filter-matches-nothing@4:9");
    CHECK(rules(two + "zz, a: k = 1\n") == "filter-matches-nothing@4:1");
}

TEST_CASE("an only that leaves nothing") {
    CHECK(rules(two + "only zz\n") == "empty-result@1:1 only-leaves-nothing@4:1");
    CHECK(rules(two + "a:\n  only zz\n") == "only-leaves-nothing@5:3");
}

TEST_CASE("variants that can never pass") {
    CHECK(rules("variants:\n  - a:\n    only c\n  - b:\n") == "variant-never-passes@3:5");
    CHECK(rules("variants:\n  - a:\n    only b\n  - b:\n") == "variant-never-passes@3:5");
    CHECK(rules("variants:\n  - a:\n    no a\n  - b:\n") == "variant-never-passes@3:8");
    CHECK(rules("variants:\n  - a:\n    only c\n  - b:\nvariants:\n  - c:\n").empty());
}

TEST_CASE("conditions that never hold") {
    CHECK(rules(two + "zz:\n  k = 1\n  only zz\n") == "condition-never-holds@4:1");
    CHECK(rules(two + "!zz: k = 1\n") == "filter-matches-nothing@4:2");
    CHECK(rules("variants:\n  - a:\n    b: k = 1\n  - b:\n") == "condition-never-holds@3:5");
}

TEST_CASE("references to keys that never exist") {
    CHECK(rules("k = x ${nokey}\n") == "undefined-reference@1:7");
    CHECK(rules("k = ${x}\nx_max = 3\n").empty());
    CHECK(rules("variants v:\n  - a:\n    x = ${v}\n").empty());
    CHECK(rules("k = 1\nl = ${k_s}\nsuffix _s\n").empty());
}

TEST_CASE("mixed tabs and spaces") {
    CHECK(rules("x:\n\ta = 1\ny:\n    a = 1\n").find("mixed-indentation@2:1") != std::string::npos);
    CHECK(rules("variants:\n  - x:\n    \ta = 1\n") == "mixed-indentation@3:5");
    CHECK(rules("variants:\n\t- x:\n\t\ta = 1\n").empty());
}

TEST_CASE("duplicate variants") {
    CHECK(rules("variants:\n  - a:\n  - b:\n  - a:\n") == "duplicate-variant@4:3");
    CHECK(rules("variants:\n  - a:\n  - a.b:\n").empty());
}

TEST_CASE("unknown dependencies") {
    CHECK(rules("variants:\n  - a:\n  - b: a, zz\n") == "unknown-dependency@3:11");
    CHECK(rules("variants:\n  - a:\n  - b: a\nno a\n") == "unknown-dependency@3:8");
}

TEST_CASE("labels that can never stand in one name") {
    const std::string bus = "variants:\n  - pci:\n  - usb:\nvariants:\n  - x:\n";  // 5 lines
    CHECK(rules(bus + "pci..usb: k = 1\n") == "condition-never-holds@6:1");
    CHECK(rules(bus + "no pci.usb\n") == "filter-matches-nothing@6:4");
    CHECK(rules(bus + "no pci.x\n") == "filter-matches-nothing@6:4");  // the other way round they are
    CHECK(rules(bus + "!pci..usb: k = 1\n") == "filter-matches-nothing@6:2");
    CHECK(rules(bus + "no x.pci, x..usb, pci..x\n") == "empty-result@1:1");
    CHECK(rules("variants:\n  - a:\n    a..b: k = 1\n  - b:\n") == "condition-never-holds@3:5");
    CHECK(rules("variants:\n  - a:\n    variants:\n      - c:\n  - b:\n    c: k = 1\n") ==
          "condition-never-holds@6:5");
    CHECK(rules("variants v:\n  - a:\n  - b:\nno (v=a)..b\n") == "filter-matches-nothing@4:4");
    // One label may stand in two blocks, and a beginning may repeat.
    CHECK(rules("variants:\n  - a:\n  - b:\nvariants:\n  - a:\n  - b:\na..b: k = 1\n").empty());
    CHECK(rules("variants:\n  - a.a.b:\na.b: k = 1\n").empty());
}

TEST_CASE("a condition that is none") {
    CHECK(rules(two + "(speed=fast):\n  k = 1\n") == "condition-is-assignment@4:1");
    CHECK(rules(two + "!(v=a): k = 1\n") == "condition-is-assignment@4:2");
    CHECK(rules(two + "a.( v = a ).b: k = 1\n") == "condition-is-assignment@4:3");
    CHECK(rules(two + "b, (v=a):\n") == "condition-is-assignment@4:4");
    CHECK(rules(two + "f(x=1): 2\n(x) = (y): z\nk = f(x=1): 2\n").empty());
}

TEST_CASE("text before a block's name") {
    CHECK(rules("variants @launched:\n  - a:\n") == "block-name-noise@1:10");
    CHECK(rules("variants \"q\" :\n  - a:\n") == "block-name-noise@1:10");
    CHECK(rules("variants v [default=a]:\n  - a:\nvariants [x] w:\n  - a:\n").empty());
}
