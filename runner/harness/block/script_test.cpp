// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/script.hpp"

#include "runner/support/file.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace vt::block;

namespace {

const std::string python = "#!/usr/bin/env python3\n# group: rw auto rw\n#\nimport iotests\n";
const std::string bash = "#!/usr/bin/env bash\n# group: quick\n. ./common.rc\n";

std::vector<std::string> names_of(const std::vector<Script>& scripts) {
    std::vector<std::string> names;
    for (const auto& script : scripts) {
        names.push_back(script.name);
    }
    return names;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a block test is known by its first line and by what it uses") {
    const vt::TempDirectory dir("vt-block-");
    const auto read = [&](const std::string& text) {
        vt::write_file_atomically(dir.path() / "x", text);
        return Script::read(dir.path() / "x");
    };
    const auto found = read(python);
    REQUIRE(found);
    CHECK(found->language == Language::python);
    CHECK(found->groups == Names{"rw", "auto"});
    CHECK(read(bash)->language == Language::bash);
    CHECK(read("#!/usr/bin/env python3\nfrom iotests import log\n"));
    CHECK_FALSE(read("#!/usr/bin/env python3\nimport os\n"));
    CHECK_FALSE(read("#!/usr/bin/env python3\n# iotests import\nprint('import iotests')\n"));
    CHECK_FALSE(read("import iotests\n"));
    CHECK_FALSE(read("#!/usr/bin/perl\nimport iotests\n"));
    CHECK_FALSE(
        read(std::string("\x7f"
                         "ELF\0",
                         5)));
    CHECK_FALSE(read(""));
    CHECK_FALSE(Script::read(dir.path() / "missing"));
    CHECK_FALSE(Script::read(dir.path()));
}

TEST_CASE("scripts are selected by name, group and start") {
    const vt::TempDirectory dir("vt-block-");
    vt::make_private_directory(dir.path() / "tests");
    for (const auto* name : {"030", "040", "tests/mirror-top-perms"}) {
        vt::write_file_atomically(dir.path() / name, python);
    }
    vt::write_file_atomically(dir.path() / "041", bash);
    vt::write_file_atomically(dir.path() / "iotests.py", python);
    vt::write_file_atomically(dir.path() / "common.rc", "# no test\n");
    vt::write_file_atomically(dir.path() / "group.local", "041 mine # not quick alone\n");
    const auto select = [&](Selection selection) { return names_of(select_scripts(dir.path(), selection)); };
    CHECK(select({}) == Names{"030", "040", "041", "mirror-top-perms"});
    CHECK(select({{"mirror-top-perms", "030", "030"}, {}, {}, {}}) == Names{"mirror-top-perms", "030"});
    CHECK(select({{"tests/mirror-top-perms"}, {}, {}, {}}) == Names{"mirror-top-perms"});
    CHECK(select({{}, {"mine", "nothing"}, {}, {}}) == Names{"041"});
    CHECK(select({{}, {}, {"rw"}, {}}) == Names{"041"});
    CHECK(select({{}, {}, {}, "041"}) == Names{"041", "mirror-top-perms"});
    CHECK_THROWS_WITH_AS(select({{"033"}, {}, {}, {}}), doctest::Contains("there is no block test 033"),
                         SelectionError);
    CHECK_THROWS_WITH_AS(select({{"common.rc"}, {}, {}, {}}), doctest::Contains("is no block test"),
                         SelectionError);
    CHECK_THROWS_AS(select({{}, {"nothing"}, {}, {}}), SelectionError);
}
