// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/expander.hpp"

#include "cfg/errors.hpp"
#include "cfg/test_support.hpp"

#include <doctest/doctest.h>

using namespace vt::cfg;
using vt::cfg::testing::expand;
using vt::cfg::testing::names;

namespace {

Options defaults_on() {
    Options options;
    options.defaults = true;
    return options;
}

}  // namespace

TEST_CASE("later blocks stand before earlier ones, the first block runs fastest") {
    CHECK(names("variants:\n  - a:\n  - b:\nvariants:\n  - c:\n    variants:\n      - i:\n      - j:\n    "
                "variants:\n"
                "      - m:\n  - d:\n") == "c.m.i.a c.m.i.b c.m.j.a c.m.j.b d.a d.b");
}

TEST_CASE("filters are judged against the whole name wherever they stand") {
    CHECK(names("variants:\n  - a:\n    only b\nvariants:\n  - b:\n  - c:\n") == "b.a");
    CHECK(names("only b\nvariants:\n  - a:\nvariants:\n  - b:\n  - c:\n") == "b.a");
    CHECK(names("variants:\n  - a:\nvariants:\n  - b:\n  - c:\nno b\n") == "c.a");
}

TEST_CASE("adjacency, order and alternatives of a filter") {
    const std::string blocks = "variants:\n  - a:\n  - b:\nvariants:\n  - p:\n  - q:\n";
    CHECK(names(blocks + "only p.a\n") == "p.a");
    CHECK(names(blocks + "only a.p\n").empty());
    CHECK(names(blocks + "only a..p\n") == "p.a");
    CHECK(names(blocks + "only p..a\n") == "p.a");
    CHECK(names(blocks + "only a..b\n").empty());
    CHECK(names(blocks + "only p.a q.b\n") == "p.a q.b");
    CHECK(names(blocks + "only p.a, q.b\n") == "p.a q.b");
    CHECK(names(blocks + "no z\n") == "p.a p.b q.a q.b");
    CHECK(names(blocks + "only z\n").empty());
}

TEST_CASE("named blocks make labels of their own and set their key first") {
    CHECK(expand("variants v:\n  - a:\n    x = ${v}\n    v = z\n") == "(v=a){v=z x=a}");
    CHECK(expand("variants v:\n  - a.b:\n") == "(v=a).(v=b){v=a.b}");
    CHECK(names("variants v:\n  - a:\nvariants w:\n  - a:\n  - b:\nonly (w=a)\n") == "(w=a).(v=a)");
    CHECK(names("variants v:\n  - a:\n  - b:\nonly a\n") == "(v=a)");
    CHECK(names("variants v:\n  - a:\n  - b:\nonly (a)\n") == "(v=a)");
    CHECK(names("variants v:\n  - @a:\n  - b:\n", {}, true) == "b");
}

TEST_CASE("place, not depth, gives precedence") {
    CHECK(expand("variants:\n  - x:\n  - y:\nvariants:\n  - z:\nx:\n  k += b\nk += c\n") ==
          "z.x{k=bc} z.y{k=c}");
    CHECK(expand("x:\n  k += b\nk += c\nvariants:\n  - x:\n    k += d\n  - y:\nk += e\nvariants:\n  - z:\n   "
                 " k += f\n"
                 "y:\n  k <= 0\n") == "z.x{k=bcdef} z.y{k=0cef}");
    CHECK(expand("variants:\n  - x:\nx: k = 1\nk = 2\n") == "x{k=2}");
}

TEST_CASE("operators") {
    CHECK(expand("a = 1\na += ' 2'\n") == "{a=1 2}");
    CHECK(expand("a += 1\nb <= 2\nb <= 3\n") == "{a=1 b=32}");
    CHECK(expand("a = 1\na ~= 2\nb ~= 3\n") == "{a=1 b=3}");
    CHECK(expand("a == b\nc = b = d\ne =\n") == "{a== b c=b = d e=}");
    CHECK(expand("a = ' x '\nb = \"x'\nc = 'x' y 'z'\nd = \"\n") == "{a= x  b=\"x' c=x' y 'z d=}");
    CHECK(expand("a -= b\n!a = b\na b = 1\n") == "{a -=b !a=b a b=1}");
    CHECK(expand("a = 1 # c\n") == "{a=1 # c}");
    CHECK(expand("a = x\ty\n") == "{a=x   y}");
    CHECK(expand("a = 1\nb = 2\ndel a\na = 3\n") == "{b=2 a=3}");
}

TEST_CASE("regular expressions in keys are Python's, matched from the start") {
    CHECK(expand("abc = 1\nxab = 1\nab = 1\nab ?= 9\n") == "{abc=1 xab=1 ab=9}");
    CHECK(expand("abc = 1\nb = 1\na|b ?= 9\n") == "{abc=9 b=9}");
    CHECK(expand("ab = 1\n(?i)AB ?= 2\n") == "{ab=2}");
    CHECK(expand("abab = 1\n(ab)\\1 ?+= 2\n") == "{abab=12}");
    CHECK(expand("a = 1\n.* ?<= 2\nname ?= 3\n") == "{a=21}");
    CHECK_THROWS_AS(expand("a = 1\n*a ?= 2\n"), ExpansionError);
    CHECK_THROWS_AS(expand("*a ?= 2\n"), ExpansionError);
}

TEST_CASE("a regular expression that backtracks for ever ends at a limit") {
    CHECK_THROWS_AS(expand("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac = 1\n(a+)+ ?= 2\n"),
                    ExpansionError);
}

TEST_CASE("substitution") {
    CHECK(expand("a = 1\nb = $a ${a} $${a} \\${a}\n") == "{a=1 b=$a 1 $1 \\1}");
    CHECK(expand("a = x\na += ${a}y\n") == "{a=xxy}");
    CHECK(expand("b = ${a}\na = 1\nc = ${b}\n") == "{b=${a} a=1 c=${a}}");
    CHECK(expand("a = 1\nb = ${a} ${u} ${a}\n") == "{a=1 b=1 ${u} ${a}}");
    CHECK(expand("a b = 1\nc = ${a b}${}}\n") == "{a b=1 c=1${}}}");
    CHECK(expand("variants v:\n  - @a: x\n  - b:\nk = ${name} ${shortname} ${dep}\nonly a\n") ==
          "(v=a){v=a k=(v=a)  ['x']}");
}

TEST_CASE("conditions") {
    const std::string block = "variants:\n  - a:\n  - b:\n";
    CHECK(expand(block + "!a: k = 1\n") == "a{} b{k=1}");
    CHECK(expand(block + "! a, b: k = 1\n") == "a{} b{}");
    CHECK(expand(block + "a: k = 1\n   l = 2\n") == "a{k=1 l=2} b{}");
    CHECK(expand(block + "a: b: k = 1\n") == "a{} b{}");
    CHECK(expand(block + "a:\n  only b\n") == "b{}");
    CHECK(expand(block + "(v=a): k = 1\n") == "a{(v=a): k = 1} b{(v=a): k = 1}");
    CHECK(expand(block + "a := b\n") == "a{=b} b{}");
    CHECK(expand(block + "!: k = 1\n") == "a{k=1} b{k=1}");
    CHECK(expand("only: k = 1\nonly=3\nnox = 3\nvariants=3\n") == "{only=3 nox=3 variants=3}");
}

TEST_CASE("suffixes") {
    CHECK(expand("a = 1\nsuffix _x\n") == "{a=1}");
    CHECK(expand("variants:\n  - v:\n    a = 2\n    suffix _x\na = 3\n") == "v{a=3 a_x=2}");
    CHECK(expand("variants:\n  - v:\n    variants:\n      - w:\n        a = 1\n        suffix _x\n    a = 2\n"
                 "    suffix _y\na = 3\n") == "v.w{a=3 a_y_x=1 a_y=2}");
}

TEST_CASE("joins") {
    const std::string two = "variants:\n  - a:\n    k = 1\n    suffix _a\n  - b:\n    k = 2\n    suffix _b\n";
    CHECK(expand(two + "join a b\n") == "a.b{k_a=1 k_b=2}");
    CHECK(names("variants:\n  - one.x:\n  - one.y:\njoin x y\n") == "one.x.y");
    CHECK(names("variants:\n  - a:\n  - b:\nvariants:\n  - p:\n  - q:\njoin p.a q.b\n") == "p.a.q.b");
    CHECK_THROWS_AS(names("variants:\n  - a:\njoin a a\n"), ExpansionError);
}

TEST_CASE("a join of three words makes every combination") {
    CHECK(names("variants:\n  - a:\n    variants:\n      - x:\n      - y:\n  - b:\n  - c:\njoin a b c\n") ==
          "a.x.b.c a.y.b.c");
}

TEST_CASE("a join of named variants has a name without garbage") {
    CHECK(names("variants v:\n  - a:\n  - b:\nvariants w:\n  - p:\n    join a b\n") == "(w=p).(v=a).(v=b)");
}

TEST_CASE("a join in a condition is refused where the condition holds") {
    const std::string text = "variants:\n  - a:\n  - b:\nc:\n  join a b\n";
    CHECK(names(text) == "a b");
    CHECK_THROWS_AS(names(text + "variants:\n  - c:\n"), ExpansionError);
}

TEST_CASE("defaults") {
    Options options;
    options.defaults = true;
    CHECK(names("variants:\n  - c:\n  - @a:\n    only q\n  - b:\nvariants:\n  - q:\n  - r:\n", options) ==
          "q.a r.c r.b");
    options.expand_defaults = {"v"};
    CHECK(names("variants v:\n  - @a:\n  - b:\nvariants w:\n  - @c:\n  - d:\n", options) ==
          "(w=c).(v=a) (w=c).(v=b)");
    CHECK(names("variants [default=b]:\n  - a:\n  - b:\n", defaults_on()) == "b");
    CHECK(names("variants [default=b]:\n  - a:\n  - b:\n", {}, true) == "a ");
}

TEST_CASE("limits") {
    CHECK(expand("x = 4096\nx_max = 1G\n") == "{x=1G x_max=1G}");
    CHECK(expand("x = 5\nx_min = 10\n") == "{x=10 x_min=10}");
    CHECK(expand("x_fixed = 9\nx = 5\n") == "{x_fixed=9 x=9}");
    CHECK(expand("x = 1\nx_max = 3\n") == "{x=1 x_max=3}");
    CHECK(expand("a_max_b_max = 3\n") == "{a_max_b_max=3 a=3}");
    CHECK(expand("x_max = 3\n") == "{x_max=3 x=3}");
    CHECK(expand("x = 99999999999999999999\nx_max = 99999999999999999998\n") ==
          "{x=99999999999999999998 x_max=99999999999999999998}");
    CHECK_THROWS_AS(expand("x = 1.5\nx_max = 3\n"), ExpansionError);
    CHECK_THROWS_AS(expand("x =\nx_max = 3G\n"), ExpansionError);
}

TEST_CASE("dep, short names and file maps") {
    const Program program =
        parse({Input::string("variants:\n  - a:\n  - b: a..c, (v=d)\nvariants w:\n  - @p:\nonly b\n")});
    Expander expander(program);
    const Dictionary* dictionary = expander.next();
    REQUIRE(dictionary != nullptr);
    CHECK(dictionary->dep == std::vector<std::string_view>{"(w=p).a", "(w=p).c", "(w=p).(v=d)"});
    CHECK(dictionary->shortname == "b");
    REQUIRE(dictionary->name_map.size() == 1);
    CHECK(dictionary->name_map[0].first == "<string>");
    CHECK(dictionary->name_map[0].second == "(w=p).b");
    CHECK(dictionary->short_name_map[0].second == "p.b");
    CHECK(dictionary->maps_position == 0);
    CHECK(expander.next() == nullptr);
    CHECK(expander.next() == nullptr);
}

TEST_CASE("a configuration without variants makes one dictionary with no name") {
    CHECK(expand("") == "{}");
    CHECK(expand("a = 1\n") == "{a=1}");
    CHECK(names("variants:\n  - a:\n  - a:\n") == "a a");
}

TEST_CASE("finding one dictionary") {
    const Program program = parse(
        {Input::string("variants v:\n  - a:\n    k = 1\n  - b:\n    k = 2\nvariants:\n  - c:\n  - c.d:\n")});
    CHECK(find_dictionary(program, "c.d.(v=b)")->at("k") == "2");
    CHECK(find_dictionary(program, "c.d.(v=b)")->at("name") == "c.d.(v=b)");
    CHECK(find_dictionary(program, "c.d.(v=b)")->at("shortname") == "c.d.b");
    CHECK_FALSE(find_dictionary(program, "c.d"));
    CHECK_FALSE(find_dictionary(program, "c.d.(v=b).x"));
    CHECK_FALSE(find_dictionary(program, ""));
    CHECK(count_dictionaries(program) == 4);
}

TEST_CASE("names and dictionaries may be mixed") {
    Expander expander(parse({Input::string("variants:\n  - a:\n  - b:\n  - c:\nk = ${name}\n")}));
    CHECK(expander.next()->name == "a");
    const Dictionary* second = expander.next_name();
    CHECK(second->name == "b");
    CHECK(second->entries.empty());
    CHECK(expander.complete()->find("k") == "b");
    CHECK(expander.next()->find("k") == "c");
}

TEST_CASE("growing values and fruitless walks end at limits") {
    std::string doubling = "a = 0123456789\n";
    for (int i = 0; i < 40; ++i) {
        doubling += "a = ${a}${a}\n";
    }
    CHECK_THROWS_AS(expand(doubling), LimitError);

    std::string blocks;
    for (int i = 0; i < 40; ++i) {
        const std::string n = std::to_string(i);
        blocks += "variants:\n  - a" + n + ":\n  - b" + n + ":\n";
    }
    Options options;
    options.limits.fruitless_nodes = 10'000;
    // Neither word can be refused before the last label is known.
    CHECK_THROWS_AS(names(blocks + "only a0.a1, b0.b1\nno a0\nno b0\n", options), LimitError);
}

TEST_CASE("what would take all memory ends at a limit") {
    std::string joins;
    for (int i = 0; i < 100; ++i) {
        joins += "variants:\n  - a:\n  - b:\njoin a b\n";
    }
    CHECK_THROWS_WITH_AS(names(joins), doctest::Contains("join_depth"), LimitError);

    std::string labels = "only";
    for (int i = 0; i < 100'000; ++i) {
        labels += " l" + std::to_string(i);
    }
    labels += "\n";
    for (int i = 0; i < 30'000; ++i) {
        labels += "variants:\n  - a:\n";
    }
    CHECK_THROWS_WITH_AS(names(labels), doctest::Contains("label_sets"), LimitError);
}
