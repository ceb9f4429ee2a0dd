// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/params.hpp"

#include <doctest/doctest.h>

using vt::BadParam;
using vt::MissingParam;
using vt::Params;

namespace {

std::string keys_of(const Params& params) {
    std::string result;
    params.for_each([&](std::string_view key, std::string_view) { result += std::string(key) + " "; });
    return result;
}

}  // namespace

TEST_CASE("a missing parameter names its key") {
    const Params params{{"a", "1"}};
    CHECK(params.at("a") == "1");
    CHECK(params["a"] == "1");
    try {
        params.at("mem_size");
        FAIL("no exception");
    } catch (const MissingParam& error) {
        CHECK(error.key() == "mem_size");
        CHECK(std::string(error.what()).find("'mem_size'") != std::string::npos);
    }
    CHECK(params.get("b", "x") == "x");
    CHECK(params.get("b").empty());
    CHECK_FALSE(params.contains("b"));
}

TEST_CASE("an empty value is a value") {
    const Params params{{"a", ""}};
    CHECK(params.get("a", "x").empty());
    CHECK(params.find("a") == "");
}

TEST_CASE("booleans are yes, on, true, no, off, false and nothing else") {
    const Params params{{"a", "yes"}, {"b", "off"}, {"c", "Yes"}, {"d", ""}, {"e", "1"}};
    CHECK(params.get_boolean("a"));
    CHECK_FALSE(params.get_boolean("b", true));
    CHECK(params.get_boolean("none", true));
    CHECK_FALSE(params.get_boolean("none"));
    for (const char* key : {"c", "d", "e"}) {
        CHECK_THROWS_AS(params.get_boolean(key), BadParam);
    }
}

TEST_CASE("numbers are decimal integers as Python reads them") {
    const Params params{{"a", " 7 "}, {"b", "1_000"}, {"c", "0x10"},
                        {"d", "1.5"}, {"e", "-3"},    {"f", "1__0"}};
    CHECK(params.get_numeric("a") == 7);
    CHECK(params.get_numeric("b") == 1000);
    CHECK(params.get_numeric("e") == -3);
    CHECK(params.get_numeric("none", 5) == 5);
    CHECK(params.get_double("d") == 1.5);
    for (const char* key : {"c", "d", "f"}) {
        CHECK_THROWS_AS(params.get_numeric(key), BadParam);
    }
}

TEST_CASE("lists keep repeats, objects do not") {
    const Params params{{"vms", " vm1  vm2 vm1 "}, {"l", "a,,b"}, {"e", ""}};
    CHECK(params.objects("vms") == std::vector<std::string>{"vm1", "vm2"});
    CHECK(params.get_list("vms").size() == 3);
    CHECK(params.get_list("l", "", ",") == std::vector<std::string>{"a", "", "b"});
    CHECK(params.get_list("e").empty());
    CHECK(params.objects("none").empty());
    CHECK(params.get_list("none", "x y").size() == 2);
}

TEST_CASE("dictionaries split at the first equals sign") {
    const Params params{{"d", "a=1 b=2=3 a=4"}, {"bad", "a"}, {"t", "x = 1,y= 2"}};
    const auto dict = params.get_dict("d");
    REQUIRE(dict.size() == 2);
    CHECK(dict[0] == std::pair<std::string, std::string>("a", "4"));
    CHECK(dict[1].second == "2=3");
    CHECK(params.get_dict("t", "", ",")[1] == std::pair<std::string, std::string>("y", "2"));
    CHECK_THROWS_AS(params.get_dict("bad"), BadParam);
}

TEST_CASE("object parameters override the plain ones") {
    const Params params{
        {"mem", "512"}, {"mem_vm1", "1024"}, {"mac_nic1_vm1", "aa"}, {"mac_nic1", "bb"}, {"x", "1"}};
    const Params vm1 = params.object_params("vm1");
    CHECK(vm1["mem"] == "1024");
    CHECK(vm1["mem_vm1"] == "1024");
    CHECK(vm1["mac_nic1"] == "aa");
    CHECK(vm1.object_params("nic1")["mac"] == "aa");
    CHECK(params.object_params("nic1").object_params("vm1")["mac"] == "bb");
    CHECK(params["mem"] == "512");
    CHECK(params.object_params("vm2") == params);
}

TEST_CASE("a suffixed key is cut at the first suffix, and the last in order wins") {
    const Params params{{"a_x_b_x", "1"}, {"mem_vm10_vm1", "2"}, {"k_o", "3"}, {"k_o_o", "4"}};
    CHECK(params.object_params("x")["a"] == "1");
    CHECK(params.object_params("vm1")["mem"] == "2");
    CHECK(params.object_params("o")["k"] == "4");
}

TEST_CASE("a copy does not see later changes") {
    Params params{{"a", "1"}, {"a_o", "2"}};
    const Params copy = params;
    const Params view = params.object_params("o");
    params.set("a", "9");
    params.set("new", "n");
    params.erase("a_o");
    CHECK(copy["a"] == "1");
    CHECK(view["a"] == "2");
    CHECK(view["a_o"] == "2");
    CHECK_FALSE(copy.contains("new"));
    CHECK(params["a"] == "9");
    CHECK_FALSE(params.contains("a_o"));
}

TEST_CASE("a key that was removed and set again is the last one") {
    Params params{{"a", "1"}, {"b", "2"}, {"c", "3"}};
    params.set("b", "5");
    CHECK(keys_of(params) == "a b c ");
    CHECK(params.erase("a"));
    CHECK_FALSE(params.erase("a"));
    params.set("a", "7");
    CHECK(keys_of(params) == "b c a ");
    params.set("a", "8");
    CHECK(params.size() == 3);
    CHECK(params.items().back() == Params::Pair("a", "8"));
    CHECK(params.erase("a"));
    CHECK(keys_of(params) == "b c ");
}

TEST_CASE("many changes keep order and values") {
    Params params{{"k0", "x"}};
    for (int i = 0; i < 500; ++i) {
        params.set("k" + std::to_string(i), std::to_string(i));
        params.set("last", std::to_string(i));
    }
    CHECK(params.size() == 501);
    CHECK(params.items()[0] == Params::Pair("k0", "0"));
    CHECK(params.items()[1].first == "last");
    CHECK(params["k499"] == "499");
    CHECK(params["last"] == "499");
}

TEST_CASE("object counts") {
    const Params params{{"n", "3"}, {"disk1", "a"}, {"disk3", "c"}};
    const auto counts = params.object_counts("n", "disk");
    REQUIRE(counts.size() == 3);
    CHECK(counts[0].second == "a");
    CHECK_FALSE(counts[1].second);
    CHECK(counts[2].first == "disk3");
    CHECK(params.object_counts("none", "disk").size() == 1);
}

TEST_CASE("internals and chosen keys") {
    const Params params(std::vector<std::pair<std::string, std::string>>{{"_a", "1"}, {"b", "2"}, {"c", ""}},
                        {{"dep"}, {{"f", "n"}}, {}});
    CHECK(keys_of(params.drop_dict_internals()) == "b c ");
    CHECK(params.drop_dict_internals().extras().name_map.empty());
    CHECK(params.drop_dict_internals().extras().dep.size() == 1);
    CHECK(keys_of(params.copy_from_keys({"c", "b", "none"})) == "b ");
}

TEST_CASE("values that are not UTF-8 do no harm") {
    const Params params{{"a", "\xa9\xa2 x \xe3\xa9"}, {"b", "\xe3"}, {"c", "\x80\x80\x80\x80\x80\x80"}};
    CHECK(params.objects("a").size() == 3);
    CHECK(params.objects("b").size() == 1);
    CHECK(params.objects("c").size() == 1);
    CHECK_THROWS_AS(params.get_numeric("a"), BadParam);
}
