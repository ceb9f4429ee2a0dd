// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/parser.hpp"

#include "cfg/test_support.hpp"
#include "runner/support/file.hpp"

#include <fstream>

#include <doctest/doctest.h>

using namespace vt::cfg;
using vt::cfg::testing::expand;
using vt::cfg::testing::names;
using vt::cfg::testing::show;

namespace {

/// A directory of configuration files.
class Files {
  public:
    std::string add(const std::string& name, std::string_view text) {
        const auto path = directory_.path() / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return path.string();
    }

  private:
    vt::TempDirectory directory_{"cfg-test"};
};

Options with_limit(std::size_t Limits::*limit, std::size_t value) {
    Options options;
    options.limits.*limit = value;
    return options;
}

ErrorReport refusal(std::string_view text) {
    try {
        expand(text);
    } catch (const ParserError& error) {
        return error.report();
    }
    FAIL("accepted: " << text);
    return {};
}

}  // namespace

TEST_CASE("texts that are no configuration are refused") {
    for (const char* text : {"only = 3\n",
                             "only\n",
                             "a =:b\n",
                             "a b:\n",
                             "a\n",
                             "- a:\n",
                             "variants\n",
                             "variants: x\n",
                             "variants a b:\n  - x:\n",
                             "variants [default]:\n  - x:\n",
                             "variants [x:\n  - x:\n",
                             "variants:\n  - a :\n",
                             "variants:\n  - a b:\n",
                             "variants:\n  - a\n",
                             "variants:\n  - \"a\":\n",
                             "variants:\n  - (v=a):\n",
                             "variants:\n  - a: x = 1\n",
                             "variants:\n  - a:\n  x = 1\n",
                             "variants:\na = 1\n",
                             "variants [default=z]:\n  - a:\n",
                             "only a,,b\n",
                             "only a , b\n",
                             "only a ,b\n",
                             "only ,a\n",
                             "only .a\n",
                             "only a...b\n",
                             "only a. b\n",
                             "only a:b\n",
                             "only @a\n",
                             "only !a\n",
                             "only (v=a)(w=b)\n",
                             "only (v=\"a\")\n",
                             "only \"a\n",
                             "only a .b\n",
                             "only a*\n",
                             "del a.b\n",
                             "del a b\n",
                             "del a*\n",
                             "suffix x y\n",
                             "suffix x # c\n",
                             "x: # c\n",
                             "x: // c\n",
                             "!x\n",
                             "(a):\n",
                             "x:\n  variants:\n    - a:\n",
                             "a/b: k = 1\n",
                             "include /nonexistent/file\n",
                             "only a'\n"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(expand(text), ParserError);
    }
}

TEST_CASE("odd texts that are configurations are accepted") {
    for (const char* text :
         {"only a,\n", "only a.\n", "only a..\n", "variants:\n", "x:\n", "variants n[x] [y=1] :\n  - a:\n",
          "variants:\n  -a:\n", "variants: # c\n  - a: # c\n", "only a # c\n", "del x # c\n",
          "a = 1\r\nb = 2\rc = 3\x0b"
          "d = 4",
          "    a = 1\n b = 2\n", "!(a): k = 1\n", "x.(a): k = 1\n", "a , b: k = 1\n",
          "variants:\n  - a:\n    variants:\n  - b:\n"}) {
        CAPTURE(text);
        CHECK_NOTHROW(expand(text));
    }
}

TEST_CASE("all line ends of Python count") {
    CHECK(expand("a = 1\r\nb = 2\rc = 3\x0b"
                 "d = 4\xe2\x80\xa8"
                 "e = 5\xc2\x85"
                 "f = 6") == "{a=1 b=2 c=3 d=4 e=5 f=6}");
    CHECK(refusal("\r\n\n\x0b\nonly\n").where.line == 5);
}

TEST_CASE("an error names the place, shows the line with a caret and says what was expected") {
    const ErrorReport report = refusal("a = 1\nvariants:\n    - x:\n        only a,,b\n");
    CHECK(report.where == Location{"<string>", 4, 16});
    CHECK(report.line == "only a,,b");
    CHECK_FALSE(report.expected.empty());
    const std::string text = ParserError(report).what();
    CHECK(text.find("<string>:4:16: ") == 0);
    CHECK(text.find("    only a,,b\n           ^\n") != std::string::npos);
}

TEST_CASE("the include chain is named, innermost first") {
    Files files;
    files.add("sub/b.cfg", "x = 1\nonly\n");
    files.add("sub/a.cfg", "include b.cfg\n");
    const std::string main = files.add("main.cfg", "y = 1\n\ninclude sub/a.cfg\n");
    try {
        parse({Input::file(main)});
        FAIL("accepted");
    } catch (const ParserError& error) {
        CHECK(error.report().where.line == 2);
        REQUIRE(error.report().included_from.size() == 2);
        CHECK(error.report().included_from[0].line == 1);
        CHECK(error.report().included_from[1].line == 3);
        CHECK(std::string(error.what()).find("included from " + main + ":3") != std::string::npos);
    }
}

TEST_CASE("includes are relative to the including file and read as if they stood there") {
    Files files;
    files.add("sub/b.cfg", "variants:\n  - b:\n    k = ${k}1\n");
    files.add("sub/a.cfg", "include b.cfg\nk += 2\n");
    const std::string main = files.add("main.cfg", "k = 0\ninclude sub/a.cfg\nk += 3\n");
    CHECK(show(parse({Input::file(main)})) == "b{k=0123}");
    CHECK(parse({Input::file(main)}).files().size() == 3);
}

TEST_CASE("an include that leads back to itself is refused") {
    Files files;
    files.add("b.cfg", "include a.cfg\n");
    const std::string main = files.add("a.cfg", "x:\n  include b.cfg\n");
    CHECK_THROWS_WITH_AS(parse({Input::file(main)}), doctest::Contains("includes itself"), ParserError);
}

TEST_CASE("a missing main file and a missing include are different errors") {
    CHECK_THROWS_AS(parse({Input::file("/nonexistent/file.cfg")}), SourceError);
    CHECK_THROWS_AS(expand("include /nonexistent/file.cfg\n"), MissingIncludeError);
    CHECK_THROWS_AS(expand("include /tmp\n"), MissingIncludeError);
    CHECK_THROWS_AS(parse({Input::file("/tmp")}), SourceError);
}

TEST_CASE("bytes that are not UTF-8 are refused with their place") {
    const ErrorReport report = refusal("a = 1\nb = \xc3(\n");
    CHECK(report.where == Location{"<string>", 2, 5});
    CHECK_THROWS_AS(expand("a = \xed\xa0\x80\n"), LexerError);
    CHECK_THROWS_AS(expand("a = \xc0\x80\n"), LexerError);
}

TEST_CASE("a statement that fails leaves nothing behind") {
    Parser parser;
    parser.parse_string("variants:\n  - x:\n  - y:\n");
    CHECK_THROWS_AS(parser.parse_string("a = 1\nonly x\nvariants:\n  - z:\n%%\n"), ParserError);
    CHECK(show(parser.program()) == "x{} y{}");
    parser.only_filter("y");
    parser.assign("k", "v w");
    CHECK(show(parser.program()) == "y{k=v w}");
    parser.no_filter("y");
    CHECK(show(parser.program()).empty());
}

TEST_CASE("a program does not see what is read later") {
    Parser parser;
    parser.parse_string("a = 1\n");
    const Program first = parser.program();
    parser.parse_string("a = 2\nb_max = 3\n");
    CHECK(show(first) == "{a=1}");
    CHECK(show(parser.program()) == "{a=2 b_max=3 b=3}");
}

TEST_CASE("inputs act in their order") {
    CHECK(show(parse({Input::assign("a", "1"), Input::string("a += 2\nvariants:\n  - x:\n  - y:\n"),
                      Input::no("x"), Input::assign("a", "${a}3")})) == "y{a=123}");
}

TEST_CASE("limits name themselves") {
    Options options;
    options.limits.line_length = 100;
    CHECK_THROWS_WITH_AS(expand("a = " + std::string(200, 'x') + "\n", options),
                         doctest::Contains("line_length"), LimitError);
    std::string deep;
    for (int i = 0; i < 500; ++i) {
        deep += std::string(i, ' ') + "x:\n";
    }
    CHECK_THROWS_WITH_AS(expand(deep), doctest::Contains("nesting_depth"), LimitError);
    CHECK_THROWS_WITH_AS(expand("x: x: x: x: x: y = 1\n", with_limit(&Limits::nesting_depth, 4)),
                         doctest::Contains("nesting_depth"), LimitError);
    CHECK_THROWS_WITH_AS(expand("a = 1\nb = 2\n", with_limit(&Limits::statements, 1)),
                         doctest::Contains("statements"), LimitError);
    CHECK_THROWS_WITH_AS(expand("a = 123456789\n", with_limit(&Limits::total_bytes, 5)),
                         doctest::Contains("total_bytes"), LimitError);
}

TEST_CASE("thousands of blocks neither overflow the stack nor take long") {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        text += "variants:\n  - a:\n";
    }
    CHECK(count_dictionaries(parse({Input::string(text)})) == 1);
}

TEST_CASE("a text has a name in messages, in file maps it is a string like any other") {
    const Program program = parse({Input::string("variants:\n  - a:\n", "<stdin>")});
    Expander expander(program);
    CHECK(expander.next()->name_map[0].first == "<string>");
    CHECK_THROWS_WITH_AS(parse({Input::string("only\n", "<stdin>")}), doctest::Contains("<stdin>:1:"),
                         ParserError);
}

TEST_CASE("of a very long line an error shows the part around the place") {
    const ErrorReport report =
        refusal("only " + std::string(9000, 'a') + " é,,b" + std::string(9000, 'c') + "\n");
    CHECK(report.where.column == 9009);
    CHECK(report.line.size() < 5000);
    const std::string text = ParserError(report).what();
    const std::size_t line = text.find('\n') + 1;
    const std::size_t caret = text.find('\n', line) + 1;
    CHECK(text.find("é,,b", line) < caret);
    CHECK(text.find('^', caret) != std::string::npos);
}

TEST_CASE("what stands before a block's name is the block's name") {
    CHECK(testing::expand("variants @launched:\n  - one:\n    k = ${@}\n  - two:\n") ==
          "(@=one){@=one k=one} (@=two){@=two}");
    CHECK(testing::names("variants @launched:\n  - one:\n", {}, true) == "one");
    CHECK(testing::names("variants += x:\n  - a:\n") == "(+==a)");
    CHECK(testing::names("variants \"q r\":\n  - a:\n") == "(q r=a)");
    CHECK(testing::names("variants @@x [default=a]:\n  - a:\n") == "(@=a)");
    CHECK(testing::names("variants @:\n  - a:\n") == "a");
    CHECK(testing::names("variants @[m]:\n  - a:\n") == "a");
    for (const char* header : {"a @b", "@a b", "[y] @", "@ # c", "a,b", "(x)"}) {
        CHECK_THROWS_AS(testing::names(std::string("variants ") + header + ":\n  - a:\n"), ParserError);
    }
}
