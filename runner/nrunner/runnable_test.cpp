// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/runnable.hpp"

#include <ctime>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vt::nrunner;
using Words = std::vector<std::string>;

namespace {

Runnable parse(const Words& words) {
    auto all = words;
    all.insert(all.begin(), {"-k", "vt"});
    return task_from_arguments(all, Form::runnable, "").runnable;
}

}  // namespace

TEST_CASE("a command line as Avocado writes it") {
    const Words words{"-i",
                      "1-x",
                      "-j",
                      "job",
                      "-k",
                      "vt",
                      "-u",
                      "some.test",
                      "-c",
                      R"({"a.b": 1})",
                      "-a",
                      "one",
                      "-a",
                      "base64:LXR3bw==",
                      R"(tags=json:{"x": null})",
                      R"(variant=json:[1])",
                      "output_dir=/out",
                      "key=va=lue",
                      "n=json:3",
                      R"(l=json:["a", 1])",
                      R"(s=json:"text")",
                      "empty=",
                      "-s",
                      "/sock",
                      "-s",
                      "host:1"};
    const auto task = task_from_arguments(words, Form::task, "");
    CHECK(task.id == "1-x");
    CHECK(task.job_id == "job");
    CHECK(task.category == "test");
    CHECK(task.status_uris == Words{"/sock", "host:1"});
    const auto& runnable = task.runnable;
    CHECK(runnable.kind == "vt");
    CHECK(runnable.uri == "some.test");
    CHECK(runnable.args == Words{"one", "-two"});
    CHECK(runnable.tags == R"({"x":null})");
    CHECK(runnable.variant == "[1]");
    CHECK(runnable.output_dir == "/out");
    CHECK(runnable.kwargs == std::vector<KeyValue>{{"key", "va=lue", false},
                                                   {"n", "3", true},
                                                   {"l", R"(["a",1])", true},
                                                   {"s", "text", false},
                                                   {"empty", "", false}});
    CHECK(runnable.setting("a.b") == 1);
    CHECK(runnable.setting("c").is_null());
    CHECK(runnable.kwargs_json() ==
          nlohmann::json{{"key", "va=lue"}, {"n", 3}, {"l", {"a", 1}}, {"s", "text"}, {"empty", ""}});
}

TEST_CASE("keys and values hold anything") {
    CHECK(parse({"-key=1", "--x=2", "-k=3", "a=b\nc"}).kwargs ==
          std::vector<KeyValue>{
              {"-key", "1", false}, {"--x", "2", false}, {"-k", "3", false}, {"a", "b\nc", false}});
    CHECK(parse({"a=json:no", "b=json:", "c=JSON:1"}).kwargs ==
          std::vector<KeyValue>{{"a", "json:no", false}, {"b", "json:", false}, {"c", "JSON:1", false}});
    CHECK(parse({"a=1", "b=2", "a=3"}).kwargs == std::vector<KeyValue>{{"a", "3", false}, {"b", "2", false}});
    CHECK(parse({"-u", "-x=y"}).uri == "-x=y");
    CHECK(parse({"--uri=-x=y"}).uri == "-x=y");
    CHECK(parse({"output_dir=json:null"}).output_dir.empty());
}

TEST_CASE("objects keep the order of their keys") {
    CHECK(parse({R"(a=json:{"z": 1, "a": 2})"}).kwargs.front().value == R"({"z":1,"a":2})");
}

TEST_CASE("the kind defaults to the program's") {
    CHECK(task_from_arguments({}, Form::runnable, "vt").runnable.kind == "vt");
    CHECK_THROWS_AS(task_from_arguments({}, Form::runnable, ""), UsageError);
}

TEST_CASE("what cannot be understood is refused") {
    for (const auto& words : {Words{"x"}, Words{"-u"}, Words{"-c", "{"}, Words{"-c", "3"},
                              Words{"-a", "base64:?"}, Words{"-i", "1"}, Words{"output_dir=json:[]"}}) {
        CAPTURE(words.front());
        CHECK_THROWS_AS(parse(words), UsageError);
    }
    CHECK_THROWS_AS(task_from_arguments({"-k", "vt"}, Form::task, ""), UsageError);
    CHECK_THROWS_AS(task_from_arguments({"-k", "vt", "-i", ""}, Form::task, ""), UsageError);
}

TEST_CASE("servers of the settings stand in for those of the command line") {
    const auto servers = [](const std::string& config) {
        return task_from_arguments({"-i", "1", "-k", "vt", "-c", config}, Form::task, "").status_uris;
    };
    CHECK(servers(R"({"run.status_server_uri": "127.0.0.1:8888"})") == Words{"127.0.0.1:8888"});
    CHECK(servers(R"({"run.status_server_uri": ["a", "b"]})") == Words{"a", "b"});
    CHECK(servers(R"({"run.status_server_uri": null})").empty());
}

TEST_CASE("recipes") {
    const auto runnable = runnable_from_recipe(
        R"({"kind": "vt", "uri": "u", "args": ["a", 1], "config": {"x": null}, "identifier": "i",
            "kwargs": {"z": "1", "a": 2, "tags": {"t": []}, "output_dir": "/o", "dependencies": []}})");
    CHECK(runnable.uri == "u");
    CHECK(runnable.args == Words{"a", "1"});
    CHECK(runnable.identifier == "i");
    CHECK(runnable.output_dir == "/o");
    CHECK(runnable.kwargs == std::vector<KeyValue>{{"z", "1", false}, {"a", "2", true}});
    const auto task =
        task_from_recipe(R"({"runnable": {"kind": "vt"}, "status_uris": "one", "category": null})");
    CHECK(task.id.size() == 36);
    CHECK(task.category == "test");
    CHECK(task.status_uris == Words{"one"});
    for (const char* text :
         {"", "[]", "{}", R"({"kind": ""})", R"({"kind": "vt", "x": 1})", R"({"kind": "vt", "uri": 1})",
          "{\"kind\": \"\xff\"}", R"({"kind": "vt", "kwargs": 1})"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(runnable_from_recipe(text), UsageError);
    }
    CHECK_THROWS_AS(task_from_recipe(R"({"id": "1"})"), UsageError);
    CHECK_THROWS_AS(runnable_from_recipe(std::string(100000, '[')), UsageError);
}

TEST_CASE("a NUL is refused wherever a text may have one") {
    for (const char* text :
         {R"({"kind": "v\u0000t"})", R"({"kind": "vt", "uri": "a\u0000"})",
          R"({"kind": "vt", "args": ["\u0000"]})", R"({"kind": "vt", "identifier": "\u0000"})",
          R"({"kind": "vt", "kwargs": {"output_dir": "/tmp/a\u0000b"}})",
          R"({"kind": "vt", "kwargs": {"k\u0000": "1"}})",
          R"({"kind": "vt", "kwargs": {"k": {"x": ["\u0000"]}}})",
          R"({"kind": "vt", "config": {"a": "\u0000"}})"}) {
        CAPTURE(text);
        CHECK_THROWS_WITH_AS(runnable_from_recipe(text), doctest::Contains("NUL"), UsageError);
    }
    CHECK_THROWS_WITH_AS(task_from_recipe(R"({"runnable": {"kind": "vt"}, "status_uris": "/a\u0000"})"),
                         doctest::Contains("NUL"), UsageError);
    for (const auto& words : {Words{"-a", "base64:YQBi"}, Words{R"(a=json:"x\u0000")"},
                              Words{R"(output_dir=json:"/x\u0000y")"}, Words{"-c", R"({"a": "\u0000"})"}}) {
        CAPTURE(words.front());
        CHECK_THROWS_WITH_AS(parse(words), doctest::Contains("NUL"), UsageError);
    }
}

TEST_CASE("many members are read in linear time, in their order, the last of equal ones counting") {
    // Quadratic, this took minutes; processor time does not depend on who else is at work.
    constexpr int count = 200000;
    std::string text = R"({"kind": "vt", "kwargs": {)";
    for (int i = 0; i < count; ++i) {
        text += "\"key" + std::to_string(i) + "\": {\"a\": 1}, ";
    }
    text += R"("key7": "last"}})";
    const auto before = std::clock();
    const auto runnable = runnable_from_recipe(text);
    CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < 20);
    REQUIRE(runnable.kwargs.size() == count);
    CHECK(runnable.kwargs[7] == KeyValue{"key7", "last", false});
    CHECK(runnable.kwargs[count - 1] == KeyValue{"key199999", R"({"a":1})", true});
}
