// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/message.hpp"

#include "runner/nrunner/base64.hpp"
#include "runner/nrunner/line_splitter.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vt::nrunner;
using nlohmann::json;

TEST_CASE("base64") {
    for (const std::string text : {"", "a", "ab", "abc", "abcd", "\xff\xfe\x00"}) {
        CHECK(decode_base64(encode_base64(text)) == text);
    }
    CHECK(encode_base64("avocado") == "YXZvY2Fkbw==");
    CHECK(decode_base64(" YXZv\nY2Fkbw==\n") == "avocado");
    for (const char* wrong : {"a", "ab", "abc", "a===", "ab=c", "====", "ab?=", "YQ==YQ=="}) {
        CAPTURE(wrong);
        CHECK(!decode_base64(wrong));
    }
}

TEST_CASE("messages as JSON carry what Avocado wants") {
    MessageMaker messages("1-x", "job");
    const auto started = json::parse(messages.started("/out").json());
    CHECK(started["status"] == "started");
    CHECK(started["output_dir"] == "/out");
    CHECK(started["id"] == "1-x");
    CHECK(started["job_id"] == "job");
    const auto text = messages.log(vt::log::Level::warning, "root", "é\xff").json();
    CHECK(text.find("\xc3") == std::string::npos);
    const auto log = json::parse(text);
    CHECK(log["type"] == "log");
    CHECK(decode_base64(log["log"]["__base64_encoded__"].get<std::string>()) == "é\xef\xbf\xbd");
    CHECK(log["encoding"] == "utf-8");
    CHECK(log["log_levelname"] == "WARNING");
    CHECK(log["log_level"] == 30);
    const auto finished =
        json::parse(messages.finished({Status::error, "why\nso\xff", "Class", "trace\nback", 3}).json());
    CHECK(finished["result"] == "error");
    CHECK(finished["fail_reason"] == "why so\xef\xbf\xbd");
    CHECK(finished["traceback"] == "trace\nback");
    CHECK(finished["returncode"] == 3);
    CHECK(finished["time"] > log["time"]);
    CHECK(log["time"] > started["time"]);
}

TEST_CASE("a bare runnable's messages have no identifiers") {
    const auto finished = json::parse(MessageMaker("", "").finished({}).json());
    CHECK(!finished.contains("id"));
    CHECK(!finished.contains("job_id"));
    CHECK(finished["fail_reason"] == "");  // without it Avocado says "<unknown>"
}

TEST_CASE("messages as Python prints them") {
    Message message;
    message.add("a", std::string("it's\n\"é\"\\\x01"));
    message.add("b", Bytes{"x\xff'\t"});
    message.add("c", std::int64_t{-3});
    message.add("d", 1.5);
    message.add("e", std::string("it's"));
    CHECK(message.python() ==
          "{'a': 'it\\'s\\n\"é\"\\\\\\x01', 'b': b\"x\\xff'\\t\", 'c': -3, 'd': 1.500000, 'e': \"it's\"}");
}

TEST_CASE("texts are cut between characters") {
    const auto parts = cut("aéé", 2);
    CHECK(parts == std::vector<std::string_view>{"a", "é", "é"});
    CHECK(cut("", 2) == std::vector<std::string_view>{""});
    CHECK(cut("\x80\x80\x80\x80\x80\x80", 2).size() >= 3);
    std::size_t total = 0;
    for (const auto part : cut(std::string(1000, '\x80'), 7)) {
        CHECK(!part.empty());
        total += part.size();
    }
    CHECK(total == 1000);
}

TEST_CASE("one line") {
    CHECK(one_line("  a\nb\tc\r\n", 100) == "a b c");
    CHECK(one_line("a\x1b[1mb", 100) == "a\\x1b[1mb");
    CHECK(one_line("abcdef", 3) == "abc…");
}

TEST_CASE("a log line as upstream's") {
    const auto line = format_log_line(vt::log::Level::info, "avocado.test", "text");
    CHECK(line.substr(line.find(',') + 4) == " avocado.test INFO | text");
}

TEST_CASE("output comes as whole lines") {
    LineSplitter lines(10);
    CHECK(lines.feed("ab").empty());
    CHECK(lines.feed("c\nd\ne") == "abc\nd\n");
    CHECK(lines.flush() == "e\n");
    CHECK(lines.flush().empty());
    CHECK(lines.feed("0123456789ab") == "0123456789ab\n");
    CHECK(lines.feed("\n") == "\n");
}
