// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/image.hpp"

#include "runner/harness/block/machine.hpp"
#include "runner/harness/block/settings.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/monitor/monitor_error.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"

#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace vt::block;
using vt::Deadline;
using vt::Seconds;

namespace {

using Words = std::vector<std::string>;

Deadline soon() {
    return Deadline::after(Seconds(120));
}

/// The programs of this host; without them there is nothing to test.
std::optional<Settings> settings() {
    Settings found;
    found.format = "qcow2";
    try {
        found.programs.complete();
    } catch (const SetupError& error) {
        MESSAGE("skipped: " << error.what());
        return std::nullopt;
    }
    return found;
}

}  // namespace

TEST_CASE("each sector of a marked image has its number at both ends") {
    const vt::TempDirectory dir("vt-block-");
    create_marked_image(dir.path() / "i", 3 * 512);
    const auto content = vt::read_file(dir.path() / "i");
    REQUIRE(content.size() == 3 * 512);
    CHECK(content.substr(1024, 4) == std::string("\0\0\0\2", 4));
    CHECK(content.substr(1536 - 4) == std::string("\0\0\0\2", 4));
    CHECK(content.substr(1028, 504) == std::string(504, '\0'));
    CHECK_THROWS_AS(create_marked_image(dir.path() / "none" / "i", 512), vt::SystemError);
}

TEST_CASE("images of the run's format get its options, those of luks a key") {
    const auto with = [](const Words& words) {
        return create_arguments(words, "qcow2", "compat=1.1", "secret,id=keysec0");
    };
    CHECK(with({"info", "-f", "qcow2", "a"}) == Words{"info", "-f", "qcow2", "a"});
    CHECK(with({"create", "-f", "qcow2", "a", "1M"}) ==
          Words{"create", "-f", "qcow2", "-o", "compat=1.1", "a", "1M"});
    CHECK(with({"create", "-fraw", "-o", "x=y", "a", "1M"}) ==
          Words{"create", "-f", "raw", "-o", "x=y", "a", "1M"});
    CHECK(with({"create", "-f", "luks", "a", "1M"}) == Words{"create", "-f", "luks", "--object",
                                                             "secret,id=keysec0", "-o", "key-secret=keysec0",
                                                             "a", "1M"});
    CHECK(with({"create", "-f", "luks", "-o", "key-secret=k", "a"}) ==
          Words{"create", "-f", "luks", "-o", "key-secret=k", "a"});
    CHECK(with({"create", "-f"}) == Words{"create", "-f"});
    CHECK(with({}).empty());
}

TEST_CASE("what one message contains of another") {
    using Json = nlohmann::json;
    const auto whole = Json::parse(R"({"a": {"b": 1, "c": [1]}, "d": "x"})");
    CHECK(contains(whole, Json()));
    CHECK(contains(whole, Json::parse(R"({"a": {"b": 1}})")));
    CHECK(contains(whole, Json::parse(R"({"a": {"b": null}})")));
    CHECK_FALSE(contains(whole, Json::parse(R"({"a": {"b": 2}})")));
    CHECK_FALSE(contains(whole, Json::parse(R"({"d": {"b": 2}})")));
    CHECK_FALSE(contains(whole, Json::parse(R"({"e": null})")));
}

TEST_CASE("a program that is named and not there") {
    Programs programs;
    programs.qemu = "/nowhere/qemu";
    CHECK_THROWS_WITH_AS(programs.complete(), doctest::Contains("/nowhere/qemu is not an executable program"),
                         SetupError);
}

TEST_CASE("tools and machine of this host") {
    const auto given = settings();
    if (!given) {
        return;
    }
    const vt::TempDirectory dir("vt-block-");
    const auto facts = Facts::of(given->programs, dir.path());
    CHECK(facts.has_image_format("qcow2"));
    CHECK_FALSE(facts.has_image_format("nonsense"));
    const Tools tools(*given);
    const auto image = dir.path() / "a.qcow2";
    tools.create(image, 4 << 20, soon());
    CHECK(tools.io(image, {"write -P 5 0 64k"}, soon()).find("wrote 65536/65536") != std::string::npos);
    CHECK_THROWS_WITH(tools.io(image, {"read -P 6 0 64k"}, soon()),
                      doctest::Contains("Pattern verification failed"));
    CHECK_THROWS_WITH(tools.img({"info", "-f", "qcow2", dir.path() / "none"}, soon()),
                      doctest::Contains("No such file"));
    const auto copy = dir.path() / "b.qcow2";
    tools.create(copy, 4 << 20, soon());
    CHECK_FALSE(tools.same_content(image, copy, soon()));
    vt::write_file_atomically(dir.path() / "broken", "QFI\xfb");
    CHECK_THROWS_AS(tools.check(dir.path() / "broken", soon()), vt::Error);

    vt::IoLoop loop;
    Machine machine(loop, *given, facts, dir.path(), {}, soon());
    CHECK(machine.command("query-status", {}, soon())["status"] == "running");
    CHECK_THROWS_AS(machine.command("no-such-command", {}, soon()), vt::QMPCmdError);
    for (const auto& [name, file] : {std::pair("one", image), std::pair("two", copy)}) {
        machine.command(
            "blockdev-add",
            {{"driver", "qcow2"}, {"node-name", name}, {"file", {{"driver", "file"}, {"filename", file}}}},
            soon());
    }
    const auto mirror = [&](const char* job) {
        machine.command("blockdev-mirror",
                        {{"job-id", job},
                         {"device", "one"},
                         {"target", "two"},
                         {"sync", "full"},
                         {"auto-dismiss", false}},
                        soon());
    };
    mirror("first");
    machine.await_ready("first", soon());
    machine.run_job("first", {}, soon());
    CHECK_THROWS_WITH_AS(machine.await_event("STOP", {}, Deadline::after(Seconds(0))),
                         doctest::Contains("no event STOP"), vt::TimeoutError);
    machine.quit(soon());
    CHECK_FALSE(machine.running());
    CHECK(tools.same_content(image, copy, soon()));
    CHECK_THROWS_WITH_AS(Machine(loop, *given, facts, dir.path(), {"-nonsense"}, soon()),
                         doctest::Contains("nonsense: invalid option"), MachineError);
}
