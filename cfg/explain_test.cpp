// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/explain.hpp"

#include "cfg/test_support.hpp"

#include <doctest/doctest.h>

using namespace vt::cfg;

namespace {

const std::string text =
    "mem = 512\n"                  // 1
    "variants:\n"                  // 2
    "    - big:\n"                 // 3
    "        mem = 1024\n"         // 4
    "    - small:\n"               // 5
    "        no slow\n"            // 6
    "variants:\n"                  // 7
    "    - fast:\n"                // 8
    "    - slow:\n"                // 9
    "big:\n"                       // 10
    "    mem += ${unit}\n"         // 11
    "unit = M\n"                   // 12
    "small: mem = 1\n"             // 13
    "big: mem = ${mem}${unit}\n";  // 14

KeyExplanation explain_key(const std::string& test, const std::string& key) {
    const Explanation explanation = explain(parse({Input::string(text)}), test, {key});
    REQUIRE(explanation.exists);
    REQUIRE(explanation.keys.size() == 1);
    return explanation.keys[0];
}

}  // namespace

TEST_CASE("the chain of a key shows each statement with its place and fate") {
    using Fate = ExplainStep::Fate;
    const KeyExplanation mem = explain_key("fast.big", "mem");
    CHECK(mem.value == "1024${unit}M");
    REQUIRE(mem.steps.size() == 5);
    CHECK(mem.steps[0].where == Location{"<string>", 1, 1});
    CHECK(mem.steps[0].fate == Fate::overwritten);
    CHECK(mem.steps[1].where.line == 4);
    CHECK(mem.steps[1].fate == Fate::in_force);
    CHECK(mem.steps[2].text == "mem += ${unit}");
    CHECK(mem.steps[2].value == "1024${unit}");
    CHECK(mem.steps[2].notes[0].find("condition big: at <string>:10:1 holds") != std::string::npos);
    CHECK(mem.steps[2].notes[1].find("not set here") != std::string::npos);
    CHECK(mem.steps[3].fate == Fate::skipped);
    CHECK(mem.steps[4].value == "1024${unit}M");
    CHECK(mem.steps[4].notes[1] == "${mem} is '1024${unit}' from <string>:11:5");
    CHECK(mem.steps[4].notes[2] == "${unit} is 'M' from <string>:12:1");
}

TEST_CASE("a key that is not set has near ones") {
    const KeyExplanation unit = explain_key("fast.big", "unut");
    CHECK_FALSE(unit.value);
    REQUIRE_FALSE(unit.nearest.empty());
    CHECK(unit.nearest[0] == "unit");
}

TEST_CASE("without keys all of them are explained") {
    CHECK(explain(parse({Input::string(text)}), "slow.big", {}).keys.size() == 2);
}

TEST_CASE("a test that a filter removes names the filter") {
    const Explanation explanation = explain(parse({Input::string(text)}), "slow.small", {});
    CHECK_FALSE(explanation.exists);
    REQUIRE(explanation.removals.size() == 1);
    CHECK(explanation.removals[0].where == Location{"<string>", 6, 9});
    CHECK(explanation.removals[0].text == "no slow");
    CHECK_FALSE(explanation.nearest.empty());
}

TEST_CASE("a test of a missing variant names what is missing and what is near") {
    const Explanation explanation = explain(parse({Input::string(text)}), "slow.bgi", {});
    CHECK(explanation.removals.empty());
    CHECK(explanation.missing.find("'bgi'") != std::string::npos);
    CHECK(explanation.missing.find("big") != std::string::npos);
    REQUIRE_FALSE(explanation.nearest.empty());
    CHECK(explanation.nearest[0] == "slow.big");
    CHECK(to_text(explanation).find("near: slow.big") != std::string::npos);
}

TEST_CASE("limits and filters in conditions are explained") {
    const Program program =
        parse({Input::string("x = 5\nx_max = 3\nvariants:\n  - a:\n  - b:\na:\n  only b\n")});
    const Explanation there = explain(program, "b", {"x"});
    REQUIRE(there.exists);
    CHECK(there.keys[0].value == "3");
    CHECK(there.keys[0].steps.back().text == "limit x_max = 3");
    const Explanation gone = explain(program, "a", {});
    REQUIRE(gone.removals.size() == 1);
    CHECK(gone.removals[0].note.find("a: at <string>:6:1") != std::string::npos);
}

TEST_CASE("a short name will do") {
    const Program program = parse({Input::string("variants v:\n  - @a:\n  - b:\nvariants:\n  - c:\n")});
    CHECK(explain(program, "c.b", {}).name == "c.(v=b)");
    CHECK(explain(program, "c", {}).name == "c.(v=a)");
}

TEST_CASE("a join is explained by its last part") {
    const Program program =
        parse({Input::string("variants:\n  - a:\n    k = 1\n  - b:\n    k = 2\njoin a b\n")});
    const Explanation explanation = explain(program, "a.b", {"k"});
    REQUIRE(explanation.exists);
    CHECK(explanation.keys[0].value == "2");
    CHECK(explanation.keys[0].steps.back().where.line == 5);
    CHECK_FALSE(explain(program, "a.c", {}).exists);
}

TEST_CASE("a join of one word is explained like the only that it is") {
    const Explanation explanation =
        explain(parse({Input::string("variants:\n  - a:\n  - b:\njoin a\n")}), "b", {});
    REQUIRE(explanation.removals.size() == 1);
    CHECK(explanation.removals[0].text == "join a");
}

TEST_CASE("a value keeps its history where a suffix stores it away") {
    using Fate = ExplainStep::Fate;
    const Program program = parse(
        {Input::string("disk = iso/a.iso\nvariants:\n  - m1:\n    suffix _m1\ndisk(_.*)? ?<= /mnt/\n")});
    const KeyExplanation disk = explain(program, "m1", {"disk"}).keys.at(0);
    CHECK(disk.value == "/mnt/iso/a.iso");
    REQUIRE(disk.steps.size() == 3);
    CHECK(disk.steps[0].fate == Fate::in_force);
    CHECK(disk.steps[0].where.line == 1);
    CHECK(disk.steps[1].text == "suffix _m1");
    CHECK(disk.steps[1].value == "iso/a.iso");
    CHECK(disk.steps[1].notes.back() ==
          "stored away as disk_m1; as all values of disk agree it is disk again");
    CHECK(disk.steps[2].where.line == 5);
    CHECK(disk.steps[2].value == "/mnt/iso/a.iso");
}

TEST_CASE("a stored value and a new one of the same key are two keys") {
    const Program program =
        parse({Input::string("a = 1\nvariants:\n  - m:\n    suffix _x\na = 3\na_x ?+= 0\n")});
    const Explanation explanation = explain(program, "m", {"a", "a_x"});
    CHECK(explanation.keys.at(0).value == "3");
    CHECK(explanation.keys.at(0).steps.size() == 1);
    CHECK(explanation.keys.at(1).value == "10");
    CHECK(explanation.keys.at(1).steps.size() == 3);
}

TEST_CASE("every part of a join has its say") {
    const Program program = parse(
        {Input::string("variants:\n  - a:\n    k = 1\n    l = 1\n  - b:\n    k = 2\n    m = 2\njoin a b\n")});
    const Explanation explanation = explain(program, "a.b", {});
    for (const KeyExplanation& key : explanation.keys) {
        REQUIRE_FALSE(key.steps.empty());
        CHECK(key.steps.back().value == key.value);
    }
    CHECK(explanation.keys.at(0).steps.size() == 2);
    CHECK(explanation.keys.at(0).steps[0].fate == ExplainStep::Fate::overwritten);
}
