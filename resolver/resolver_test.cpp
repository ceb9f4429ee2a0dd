// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/resolver.hpp"

#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "resolver/data_dir.hpp"
#include "resolver/name_filter.hpp"
#include "resolver/saved_config.hpp"
#include "runner/support/file.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vt;
using namespace vt::resolver;
namespace fs = std::filesystem;

namespace {

bool matches(const std::string& filter, const std::string& name) {
    return NameFilter(filter).matches(labels_of(name));
}

/// A data directory with two guests and three tests.
void fill(const fs::path& dir) {
    fs::path cfg = DataDir{dir}.backend_cfg("qemu");
    fs::create_directories(cfg);
    write_file_atomically(cfg / "machines.cfg", "variants:\n    - @i440fx:\n    - q35:\n");
    write_file_atomically(
        cfg / "subtests.cfg",
        "variants subtest:\n"
        "    - p.boot:\n        type = boot\n"
        "    - @type_specific:\n        variants subtest:\n            - p.migrate: p.boot\n"
        "                variants:\n                    - tcp:\n                    - unix:\n");
    write_file_atomically(cfg / "guest-os.cfg",
                          "variants:\n    - Guest:\n        variants:\n            - JeOS:\n                "
                          "image_name = images/jeos\n"
                          "            - Fedora:\n                image_name = images/fedora\n");
    write_file_atomically(
        cfg / "tests.cfg",
        "include machines.cfg\ninclude subtests.cfg\ninclude guest-os.cfg\n"
        "variants:\n    - virtio_net:\nvariants:\n    - smp2:\nvariants:\n    - virtio_blk:\n"
        "variants:\n    - qcow2:\n");
}

Selection small(const fs::path& dir) {
    Selection selection;
    selection.data_dir = dir;
    selection.machine_type = "i440fx";
    selection.guest_os = "JeOS";
    return selection;
}

std::vector<std::string> names(const Resolution& resolution) {
    std::vector<std::string> result;
    for (const FoundTest& test : resolution.tests) {
        result.push_back(test.name);
    }
    return result;
}

}  // namespace

TEST_CASE("a reference is a filter over the complete name") {
    const std::string name = "qcow2.Guest.JeOS.27.(subtest=type_specific).(subtest=p).migrate.default.tcp";
    CHECK(matches("migrate", name));
    CHECK(matches("migrate..tcp", name));
    CHECK(matches("tcp..migrate", name));
    CHECK_FALSE(matches("migrate.tcp", name));
    CHECK(matches("default.tcp", name));
    CHECK(matches("JeOS.27", name));
    CHECK_FALSE(matches("JeOS.2", name));
    CHECK(matches("type_specific.p.migrate", name));
    CHECK(matches("(subtest=p)", name));
    CHECK(matches("( subtest = p ).migrate", name));
    CHECK_FALSE(matches("(other=p)", name));
    CHECK(matches("(p)", name));
    CHECK(matches("no_such,tcp", name));
    CHECK(matches("no_such tcp", name));
    CHECK(matches("tcp,", name));
    CHECK(matches("tcp..", name));
    CHECK_THROWS_AS(NameFilter("/bin/true"), cfg::ParserError);
    CHECK_THROWS_AS(NameFilter("a:b"), cfg::ParserError);
    CHECK_THROWS_AS(NameFilter(",a"), cfg::ParserError);
}

TEST_CASE("references give names in the order of the set; what matches nothing says what is near") {
    TempDirectory dir("resolver");
    fill(dir.path());
    std::vector<Resolution> found =
        resolve({"", "boot", "migrate..tcp", "migrat", "/bin/true"}, small(dir.path()), std::nullopt);
    REQUIRE(found.size() == 5);
    CHECK(names(found[0]) ==
          std::vector<std::string>{"p.boot", "type_specific.p.migrate.tcp", "type_specific.p.migrate.unix"});
    CHECK(names(found[1]) == std::vector<std::string>{"p.boot"});
    CHECK(names(found[2]) == std::vector<std::string>{"type_specific.p.migrate.tcp"});
    CHECK(found[3].tests.empty());
    CHECK(found[3].info.find("No test matches 'migrat'; near it are migrate") == 0);
    CHECK(found[4].tests.empty());
    CHECK(found[4].info.find("is no filter") != std::string::npos);
}

TEST_CASE("many references are found in one walk, as each alone is") {
    TempDirectory dir("resolver");
    std::string blocks;
    for (const char* block : {"variants a:\n", "variants b:\n", "variants:\n"}) {
        blocks += block;
        for (int i = 0; i < 40; ++i) {
            blocks += "    - x" + std::to_string(i) + ":\n";
        }
    }
    Selection selection;
    selection.config = dir.path() / "many.cfg";
    write_file_atomically(selection.config, blocks);  // 64,000 tests: more than are looked at one by one
    const std::vector<std::string> references = {
        "(a=x3).x4..x5", "x7.(b=x1).(a=x2),", "no_such", "(a = x1)..(b=x2).x9, x39.x39.x39 # c",
        "b=2",           "x7.x1.x2..",
    };
    const std::vector<Resolution> found = resolve(references, selection, std::nullopt);
    REQUIRE(found.size() == references.size());
    for (std::size_t i = 0; i < references.size(); ++i) {
        const std::vector<Resolution> alone = resolve({references[i]}, selection, std::nullopt);
        CHECK(names(found[i]) == names(alone[0]));
        std::size_t expected = 0;
        cfg::Expander expander(cfg::parse({cfg::Input::file(selection.config.string()),
                                           cfg::Input::only(i == 4 ? "no_such" : references[i])}));
        while (expander.next_name() != nullptr) {
            ++expected;
        }
        CHECK(found[i].tests.size() == expected);
    }
    CHECK(found[1].tests.size() == 1);
    CHECK(found[2].info == "No test matches 'no_such'");
    CHECK(found[4].info.find("takes one KEY=VALUE and is repeated") != std::string::npos);
}

TEST_CASE("a list that never ends is refused with its limit, at once and without being kept") {
    TempDirectory dir("resolver");
    std::string blocks;
    for (int block = 0; block < 30; ++block) {  // 10^30 tests
        blocks += "variants v" + std::to_string(block) + ":\n";
        for (int i = 0; i < 10; ++i) {
            blocks += "    - x" + std::to_string(i) + ":\n";
        }
    }
    Selection selection;
    selection.config = dir.path() / "endless.cfg";
    write_file_atomically(selection.config, blocks);
    ListProgress progress;
    for (const std::string& reference : {std::string(), std::string("x1"), std::string("(v3=x1)..(v5=x2)")}) {
        try {
            resolve({reference}, selection, std::nullopt, {200'000, &progress});
            FAIL("it ended");
        } catch (const ListLimitError& error) {
            CHECK(std::string(error.what()).find("more than 200,000 tests (limit vt.list.limit)") !=
                  std::string::npos);
        }
        CHECK(progress.found == 200'001);
    }
    // Where a reference leads to one test, the size of the rest does not matter.
    std::string one = "(v0=x1)";
    for (int block = 1; block < 30; ++block) {
        one += "..(v" + std::to_string(block) + "=x2)";
    }
    CHECK(resolve({one}, selection, std::nullopt)[0].tests.size() == 1);
}

TEST_CASE("the limit of lists is a number") {
    using nlohmann::json;
    CHECK(list_limit_from_settings(json::object()) == 1'000'000);
    CHECK(list_limit_from_settings({{"vt.list.limit", nullptr}}) == 1'000'000);
    CHECK(list_limit_from_settings({{"vt.list.limit", 5}}) == 5);
    CHECK(list_limit_from_settings({{"vt.list.limit", "70"}}) == 70);
    for (const json& bad : {json("many"), json("0"), json(-1), json(""), json("5x"), json(true)}) {
        CHECK_THROWS_AS(list_limit_from_settings({{"vt.list.limit", bad}}), SelectionError);
    }
}

TEST_CASE("a guest that is not there is named") {
    TempDirectory dir("resolver");
    fill(dir.path());
    Selection selection = small(dir.path());
    auto refusal = [&](const Selection& bad) -> std::string {
        try {
            resolve({"boot"}, bad, std::nullopt);
        } catch (const SelectionError& error) {
            return error.what();
        }
        return {};
    };
    selection.guest_os = "Fedra";
    CHECK(refusal(selection).find("there is no guest 'Fedra'") != std::string::npos);
    CHECK(refusal(selection).find("near it are Fedora") != std::string::npos);
    selection.guest_os = "boot";
    CHECK(refusal(selection).find("there is no guest 'boot'") != std::string::npos);
    selection.guest_os = "JeOS";
    selection.only_filter = "nothing";
    CHECK(resolve({"boot"}, selection, std::nullopt)[0].info ==
          "The options and settings leave no test at all");
    selection.type = "libvirt";
    CHECK_THROWS_AS(resolve({"boot"}, selection, std::nullopt), NotBootstrappedError);
}

TEST_CASE("from a full name, or the name alone, to the parameters") {
    TempDirectory dir("resolver");
    fill(dir.path());
    Selection selection = small(dir.path());
    selection.extra_params = {{"mem", "77"}};
    FoundTest test = resolve({"boot"}, selection, std::nullopt)[0].tests[0];
    for (const std::string& full_name : {test.full_name, std::string()}) {
        Params params = expand(selection, test.name, full_name, std::nullopt);
        CHECK(params.get("type") == "boot");
        CHECK(params.get("mem") == "77");
        CHECK(params.get("id") == "p.boot");
        CHECK(params.get("name") == test.full_name);
        CHECK(params.get("kill_vm") == "yes");
    }
    CHECK_THROWS_AS(expand(selection, "p.bot", "", std::nullopt), UnknownTestError);
    CHECK_THROWS_AS(expand(selection, "p.boot", "x.y", std::nullopt), UnknownTestError);
}

TEST_CASE("a saved config gives the same tests when it is used") {
    TempDirectory dir("resolver");
    fill(dir.path());
    Selection selection = small(dir.path());
    selection.extra_params = {{"mem", "77"}, {"odd", "a = b # c"}};
    selection.no_filter = "unix";
    std::vector<Resolution> found = resolve({"migrate", "no_such", "boot"}, selection, std::nullopt);
    Selection again = small(dir.path());
    again.config = dir.path() / "saved.cfg";
    save_config(again.config, selection, found);
    std::vector<Resolution> second = resolve({""}, again, std::nullopt);
    CHECK(names(second[0]) == std::vector<std::string>{"p.boot", "type_specific.p.migrate.tcp"});
    for (const FoundTest& test : second[0].tests) {
        Params before = expand(selection, test.name, test.full_name, std::nullopt);
        Params after = expand(again, test.name, test.full_name, std::nullopt);
        CHECK(before.items() == after.items());
    }
    fs::remove(again.config);
    save_config(again.config, selection, resolve({"no_such"}, selection, std::nullopt));
    CHECK_FALSE(fs::exists(again.config));
    CHECK_THROWS_AS(save_config(dir.path() / "no/such/dir", selection, found), SelectionError);
}

TEST_CASE("guests, with their images") {
    TempDirectory dir("resolver");
    fill(dir.path());
    fs::create_directories(dir.path() / "images");
    write_file_atomically(dir.path() / "images/jeos.qcow2", "x");
    std::vector<Guest> found = guests(small(dir.path()), "", std::nullopt);
    REQUIRE(found.size() == 2);
    CHECK(found[0].name == "Guest.JeOS");
    CHECK(found[0].image_exists);
    CHECK(found[1].image == dir.path() / "images/fedora.qcow2");
    CHECK_FALSE(found[1].image_exists);
    CHECK(guests(small(dir.path()), "Fedora", std::nullopt).size() == 1);
}
