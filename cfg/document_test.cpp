// SPDX-License-Identifier: GPL-2.0-or-later
// The examples of the user's guide, chapters "Cartesian Configuration" and "Formal definition". It prints
// `depend` where the key is `dep`, and the long form in the short names of named variants; docs/cartesian.md
// lists the differences.
#include "cfg/test_support.hpp"

#include <doctest/doctest.h>

using namespace vt::cfg;
using vt::cfg::testing::expand;
using vt::cfg::testing::names;

namespace {

/// As expand(), with the short name and the dependencies of each dictionary.
std::string full(std::string_view text) {
    std::string result;
    Expander expander(parse({Input::string(std::string(text))}));
    while (const Dictionary* dictionary = expander.next()) {
        result += std::string(dictionary->name) + "|" + std::string(dictionary->shortname) + "|";
        for (const std::string_view entry : dictionary->dep) {
            result += std::string(entry) + ",";
        }
        for (const Entry& entry : dictionary->entries) {
            result += " " + std::string(entry.key) + "=" + std::string(entry.value);
        }
        result += "\n";
    }
    return result;
}

const std::string keys = "key1 = value1\nkey2 = value2\nkey3 = value3\n\n";

const std::string one_two_three =
    keys +
    "variants:\n    - one:\n        key1 = Hello World\n        key2 <= some_prefix_\n    - two: one\n"
    "        key2 <= another_prefix_\n    - three: one two\n\n";

const std::string filtered = "        no one\n    - B:\n        only one,three\n";

}  // namespace

TEST_CASE("document: two blocks make nine combinations") {
    CHECK(
        names("variants:\n    - one:\n        key1 = Hello\n    - two:\n        key2 = World\n    - three:\n"
              "variants:\n    - four:\n        key3 = foo\n    - five:\n        key3 = bar\n    - six:\n"
              "        key1 = foo\n        key2 = bar\n") ==
        "four.one four.two four.three five.one five.two five.three six.one six.two six.three");
}

TEST_CASE("document: named variants") {
    CHECK(full("variants var1_name:\n     - one:\n         key1 = Hello\n     - two:\n         key2 = World\n"
               "     - three:\nvariants var2_name:\n     - one:\n         key3 = Hello2\n     - two:\n"
               "         key4 = World2\n     - three:\n\nonly (var2_name=one).(var1_name=two)\n") ==
          "(var2_name=one).(var1_name=two)|one.two| var1_name=two key2=World var2_name=one key3=Hello2\n");
    CHECK(
        names("variants guest_os:\n     - fedora:\n     - ubuntu:\nvariants disk_interface:\n     - virtio:\n"
              "     - hda:\n") ==
        "(disk_interface=virtio).(guest_os=fedora) (disk_interface=virtio).(guest_os=ubuntu) "
        "(disk_interface=hda).(guest_os=fedora) (disk_interface=hda).(guest_os=ubuntu)");
}

TEST_CASE("document: dependencies name their variants, the order is the file's") {
    CHECK(full("variants:\n    - one:\n        key1 = Hello\n    - two: one\n        key2 = World\n"
               "    - three: one two\n") ==
          "one|one| key1=Hello\ntwo|two|one, key2=World\nthree|three|one,two,\n");
}

TEST_CASE("document: a filter in a variant acts when the variant is chosen") {
    CHECK(
        full(
            "variants:\n    - one:\n        key1 = Hello\nvariants:\n    - two:\n        key2 = Complicated\n"
            "    - three: one two\n        key3 = World\nvariants:\n    - default:\n        only three\n"
            "        key2 =\n\nonly default\n") ==
        "default.three.one|default.three.one|default.one,default.two, key1=Hello key3=World key2=\n");
}

TEST_CASE("document: substitution sees the values of its place") {
    CHECK(expand("one = 1\ntwo = 2\nthree = 3\norder = ${one}${two}${three}\n") ==
          "{one=1 two=2 three=3 order=123}");
    const std::string sub = "sub = \"key1: ${key1}; key2: ${key2};\"\n";
    CHECK(expand("key1 = default value\nkey2 = default value\n\n" + sub + "\nvariants:\n    - one:\n" +
                 "        key1 = Hello\n        " + sub + "    - two: one\n        key2 = World\n        " +
                 sub + "    - three: one two\n        " + sub) ==
          "one{key1=Hello key2=default value sub=key1: Hello; key2: default value;} "
          "two{key1=default value key2=World sub=key1: default value; key2: World;} "
          "three{key1=default value key2=default value sub=key1: default value; key2: default value;}");
}

TEST_CASE("document: keys of objects") {
    const vt::Params params =
        *find_dictionary(parse({Input::string("vms = vm1 second_vm another_vm\nmem = 128\nmem_vm1 = 512\n"
                                              "mem_second_vm = 1024\n")}),
                         "");
    CHECK(params.objects("vms").size() == 3);
    CHECK(params.object_params("vm1")["mem"] == "512");
    CHECK(params.object_params("second_vm")["mem"] == "1024");
    CHECK(params.object_params("another_vm")["mem"] == "128");
}

TEST_CASE("document: a single dictionary, and a block of variants") {
    CHECK(full(keys) == "|| key1=value1 key2=value2 key3=value3\n");
    CHECK(expand(keys + "variants:\n    - one:\n    - two:\n    - three:\n") ==
          "one{key1=value1 key2=value2 key3=value3} two{key1=value1 key2=value2 key3=value3} "
          "three{key1=value1 key2=value2 key3=value3}");
}

TEST_CASE("document: modified dictionaries and dependencies") {
    CHECK(full(one_two_three) ==
          "one|one| key1=Hello World key2=some_prefix_value2 key3=value3\n"
          "two|two|one, key1=value1 key2=another_prefix_value2 key3=value3\n"
          "three|three|one,two, key1=value1 key2=value2 key3=value3\n");
    CHECK(full(one_two_three + "variants:\n    - A:\n    - B:\n") ==
          "A.one|A.one| key1=Hello World key2=some_prefix_value2 key3=value3\n"
          "A.two|A.two|A.one, key1=value1 key2=another_prefix_value2 key3=value3\n"
          "A.three|A.three|A.one,A.two, key1=value1 key2=value2 key3=value3\n"
          "B.one|B.one| key1=Hello World key2=some_prefix_value2 key3=value3\n"
          "B.two|B.two|B.one, key1=value1 key2=another_prefix_value2 key3=value3\n"
          "B.three|B.three|B.one,B.two, key1=value1 key2=value2 key3=value3\n");
}

TEST_CASE("document: no and only, short names") {
    CHECK(full(one_two_three + "variants:\n    - A:\n" + filtered) ==
          "A.two|A.two|A.one, key1=value1 key2=another_prefix_value2 key3=value3\n"
          "A.three|A.three|A.one,A.two, key1=value1 key2=value2 key3=value3\n"
          "B.one|B.one| key1=Hello World key2=some_prefix_value2 key3=value3\n"
          "B.three|B.three|B.one,B.two, key1=value1 key2=value2 key3=value3\n");
    CHECK(names(one_two_three + "variants:\n    - @A:\n" + filtered, {}, true) == "two three B.one B.three");
}

TEST_CASE("document: exceptions") {
    CHECK(full(one_two_three + "variants:\n    - @A:\n" + filtered +
               "\nthree: key4 = some_value\n\nA:\n    no two\n    key5 = yet_another_value\n") ==
          "A.three|three|A.one,A.two, key1=value1 key2=value2 key3=value3 key4=some_value "
          "key5=yet_another_value\n"
          "B.one|B.one| key1=Hello World key2=some_prefix_value2 key3=value3\n"
          "B.three|B.three|B.one,B.two, key1=value1 key2=value2 key3=value3 key4=some_value\n");
}

TEST_CASE("document: the condition whose body is not indented is empty") {
    CHECK(expand("variants:\n  - x:\nLinux..OpenSuse:\ninitrd = initrd\n") == "x{initrd=initrd}");
}

TEST_CASE("document: places where upstream's result stands against the text") {
    CHECK(expand("one = 1\no = $one\n") == "{one=1 o=$one}");
    CHECK(expand("a = 1\nb = ${u}${a}\n") == "{a=1 b=${u}${a}}");
    CHECK(names("variants:\n  - L:\nvariants:\n  - O:\nonly L..O\n") == "O.L");
    CHECK(names("variants:\n  - one:\n  - none:\nonly on\n").empty());
    CHECK(names("variants:\n  - a:\n  - b:\nno a\n") == "b");
    CHECK(expand("ab = 1\na. ?= 2\n") == "{ab=2}");
    CHECK(expand("x_fixed = 9\nx = 5\n") == "{x_fixed=9 x=9}");
}
