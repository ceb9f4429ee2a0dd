// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/text_template.hpp"

#include "runner/support/file.hpp"

#include <doctest/doctest.h>

namespace vt::driver {
namespace fs = std::filesystem;
namespace {

std::optional<std::string> values(const std::string& name) {
    if (name == "server.port") {
        return "1234";
    }
    if (name == "host") {
        return "localhost";
    }
    return std::nullopt;
}

}  // namespace

TEST_CASE("names become values") {
    CHECK(fill_in("{{ host }}:{{server.port}}/", values) == "localhost:1234/");
    CHECK(fill_in("nothing", values) == "nothing");
    CHECK(TextTemplate::parse("{{a}} {{b.c}}")->names() == std::vector<std::string>{"a", "b.c"});
}

TEST_CASE("a name without a value is an error that says which") {
    CHECK_THROWS_WITH_AS(
        fill_in("{{client.port}}", values),
        "'client.port' in '{{client.port}}' has no value: nothing of that name is there (yet)",
        UnresolvedError);
}

TEST_CASE("what a template engine has to do is left to one") {
    for (const char* text : {"{% if a %}b{% endif %}", "{# remark #}", "{{ a + 1 }}", "{{ a|upper }}",
                             "{{ open", "{{if port > 1}}x{{endif}}", "{{ 1a }}", "{{}}"}) {
        CAPTURE(text);
        CHECK_FALSE(TextTemplate::parse(text));
    }
    CHECK_THROWS_AS(fill_in("{{ a|upper }}", values), Error);
}

TEST_CASE("files are filled in, bytes are copied") {
    const TempDirectory place("template");
    const fs::path source = place.path() / "app.cfg";
    write_file_atomically(source, "port={{server.port}}\n", 0755);
    fs::create_directory(place.path() / "etc");
    const fs::path written = install_file(source, place.path() / "etc", values);
    CHECK(written == place.path() / "etc/app.cfg");
    CHECK(read_file(written) == "port=1234\n");
    CHECK((fs::status(written).permissions() & fs::perms::owner_exec) != fs::perms::none);
    CHECK(read_file(install_file(source, place.path() / "new/dir/other.cfg", values)) == "port=1234\n");

    const std::string bytes("\xff\x00{{host}}", 10);
    write_file_atomically(source, bytes);
    CHECK(read_file(install_file(source, place.path() / "etc", values)) == bytes);

    write_file_atomically(source, "{{nobody}}");
    CHECK_THROWS_AS(install_file(source, place.path() / "etc", values), UnresolvedError);
    CHECK_THROWS_AS(install_file(place.path() / "missing", place.path() / "etc", values), SystemError);
}

TEST_CASE("a run path is made, emptied on request, and no directory of the user's is") {
    const TempDirectory place("runpath");
    const fs::path path = place.path() / "a/b";
    make_run_path(path, true);
    write_file_atomically(path / "old", "x");
    make_run_path(path, false);
    CHECK(fs::exists(path / "old"));
    make_run_path(path, true);
    CHECK(fs::is_empty(path));
    CHECK_THROWS_AS(make_run_path("/", true), Error);
    CHECK_THROWS_AS(make_run_path(fs::current_path(), true), Error);
}

}  // namespace vt::driver
