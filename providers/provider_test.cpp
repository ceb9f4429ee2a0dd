// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/provider.hpp"

#include "providers/ini.hpp"
#include "providers/test_file.hpp"
#include "runner/support/file.hpp"

#include <doctest/doctest.h>

using namespace vt;
using namespace vt::providers;
namespace fs = std::filesystem;

namespace {

fs::path put(const fs::path& path, std::string_view text = {}) {
    fs::create_directories(path.parent_path());
    write_file_atomically(path, text);
    return path;
}

}  // namespace

TEST_CASE("ini: sections, separators, comments, continuation lines and references are configparser's") {
    Ini ini = Ini::parse(
        "# comment\n[DEFAULT]\nbase = /srv\n[one]\nKey: a = b\nlist = x,\n    y\n; no\npath=%(base)s/t "
        "100%%\n[two]\n",
        "t.ini");
    CHECK(ini.get("one", "key") == "a = b");
    CHECK(ini.get("one", "list") == "x,\ny");
    CHECK(ini.get("one", "path") == "/srv/t 100%");
    CHECK(ini.get("two", "base") == "/srv");
    CHECK_FALSE(ini.get("two", "key").has_value());
    CHECK_FALSE(ini.get("three", "base").has_value());
}

TEST_CASE("ini: errors name file, line and text") {
    CHECK_THROWS_WITH_AS(
        Ini::parse("a = 1", "t.ini"),
        "t.ini:1: expected a section header such as [provider] before the first key: 'a = 1'", IniError);
    CHECK_THROWS_WITH_AS(Ini::parse("[a]\nx = 1\nX = 2", "t.ini"),
                         "t.ini:3: this key is there twice: 'X = 2'", IniError);
    CHECK_THROWS_AS(Ini::parse("[a]\n[a]\n", "t.ini"), IniError);
    CHECK_THROWS_AS(Ini::parse("[a\n", "t.ini"), IniError);
    CHECK_THROWS_AS(Ini::parse("[a]\nx = %(x)s\n", "t.ini").get("a", "x"), IniError);
    CHECK_THROWS_AS(Ini::parse("[a]\nx = 5%\n", "t.ini").get("a", "x"), IniError);
}

TEST_CASE("references that multiply are stopped") {
    std::string text = "[a]\n";
    for (int level = 0; level < 9; ++level) {
        text += "k" + std::to_string(level) + " =";
        for (int i = 0; i < 50; ++i) {
            text += " %(k" + std::to_string(level + 1) + ")s";
        }
        text += "\n";
    }
    CHECK_THROWS_AS(Ini::parse(text + "k9 =\n", "t.ini").get("a", "k0"), IniError);
}

TEST_CASE("both spellings of a file URI name a directory, others do not") {
    CHECK(file_uri_path("file:///usr/share/t") == fs::path("/usr/share/t"));
    CHECK(file_uri_path("file://usr/share/t") == fs::path("/usr/share/t"));
    CHECK_FALSE(file_uri_path("/usr/share/t").has_value());
    CHECK_FALSE(file_uri_path("https://example.org/t.git").has_value());
}

TEST_CASE("a definition: in place for file://, else below downloads") {
    TempDirectory dir("provider");
    fs::path ini =
        put(dir.path() / "org-example.v2.ini",
            "[provider]\nuri: file:///srv/t\n[generic]\nsubdir: generic/\n[qemu]\nsubdir: q\nconfigs: a.cfg, "
            "b.cfg\n[unknown]\nsubdir: x\n");
    Provider provider = read_definition(ini, dir.path() / "downloads");
    CHECK(provider.name == "org-example");
    CHECK(provider.in_place());
    CHECK(provider.branch.empty());
    CHECK(provider.ignored == std::vector<std::string>{"unknown"});
    REQUIRE(provider.sections.size() == 2);
    CHECK(provider.section("generic")->subdir == "/srv/t/generic");
    CHECK(provider.section("qemu")->configs == std::vector<std::string>{"a.cfg", "b.cfg"});
    CHECK(provider.section("libvirt") == nullptr);

    ini = put(dir.path() / "git.ini", "[provider]\nuri = https://example.org/t.git\n[qemu]\nsubdir = .\n");
    provider = read_definition(ini, dir.path() / "downloads");
    CHECK_FALSE(provider.in_place());
    CHECK(provider.section("qemu")->subdir == dir.path() / "downloads" / "git");

    CHECK_THROWS_AS(read_definition(put(dir.path() / "a.ini", "[provider]\nbranch = x\n"), dir.path()),
                    ProviderError);
    CHECK_THROWS_AS(
        read_definition(put(dir.path() / "b.ini", "[provider]\nuri = file:///x\n[qemu]\nsubdir = ../y\n"),
                        dir.path()),
        ProviderError);
}

TEST_CASE(
    "the providers of a data directory: both places are read, the later wins, broken ones are left out") {
    TempDirectory dir("provider");
    put(dir.path() / "test-providers.d/a.ini", "[provider]\nuri: file:///one\n");
    put(dir.path() / "test-providers.d/bad.ini", "no section\n");
    put(dir.path() / "virttest/test-providers.d/a.ini", "[provider]\nuri: file:///two\n");
    put(dir.path() / "builtin/generic/tests/uptime.py");
    std::vector<Provider> providers = load_providers(dir.path(), dir.path() / "builtin");
    REQUIRE(providers.size() == 2);
    CHECK(providers[0].root == "/one");
    CHECK(providers[1].name == "builtin");
    CHECK(providers[1].sections.size() == 1);
}

TEST_CASE("a test's file: the provider's folders in the order of their names, native before Python") {
    TempDirectory dir("provider");
    put(dir.path() / "t/generic/tests/b/uptime.py");
    put(dir.path() / "t/generic/tests/a/uptime.py");
    put(dir.path() / "t/generic/tests/a/both.py");
    put(dir.path() / "t/generic/tests/a/both.so");
    put(dir.path() / "t/generic/tests/cfg/hidden.py");
    put(dir.path() / "t/qemu/tests/boot.py");
    put(dir.path() / "t/libvirt/tests/virsh.py");
    put(dir.path() / "test-providers.d/t.ini",
        "[provider]\nuri: file://" + (dir.path() / "t").string() +
            "\n[generic]\nsubdir: generic\n[qemu]\nsubdir: qemu\n[libvirt]\nsubdir: libvirt\n");
    std::vector<Provider> providers = load_providers(dir.path(), dir.path() / "none");

    Params of_provider{{"type", "uptime both"}, {"provider", "t"}};
    std::vector<TestFile> files = find_tests(of_provider, providers);
    REQUIRE(files.size() == 2);
    CHECK(files[0].path == dir.path() / "t/generic/tests/a/uptime.py");
    CHECK(files[0].kind == TestFile::Kind::python);
    CHECK(files[0].provider == "t");
    CHECK(files[0].sys_path.front() == dir.path() / "t/generic/tests/a");
    CHECK(std::find(files[0].sys_path.begin(), files[0].sys_path.end(), dir.path() / "t") !=
          files[0].sys_path.end());
    CHECK(files[1].kind == TestFile::Kind::native);
    CHECK(find_test("virsh", of_provider, providers).path == dir.path() / "t/libvirt/tests/virsh.py");

    Params of_none{{"type", "boot"}, {"vm_type", "qemu"}};
    CHECK(find_tests(of_none, providers)[0].path == dir.path() / "t/qemu/tests/boot.py");
    CHECK_THROWS_AS(find_test("virsh", of_none, providers), TestNotFoundError);
    CHECK_THROWS_AS(find_test("hidden", of_none, providers), TestNotFoundError);
    CHECK_THROWS_AS(find_test("../boot", of_none, providers), TestNotFoundError);
    CHECK_THROWS_AS(find_tests(Params{{"type", " "}}, providers), TestNotFoundError);
    CHECK_THROWS_AS(find_tests(Params{{"provider", "t"}}, providers), MissingParam);
    CHECK_THROWS_AS(find_test("uptime", Params{{"provider", "x"}}, providers), TestNotFoundError);
    try {
        find_test("uptme", of_provider, providers);
        FAIL("found what is not there");
    } catch (const TestNotFoundError& error) {
        CHECK(std::string(error.what()).find("near it are uptime") != std::string::npos);
    }
}

TEST_CASE("a key lies beside its definition, a URI is checked, secrets are not told") {
    TempDirectory dir("provider");
    fs::path ini = put(dir.path() / "a.ini", "[provider]\nuri: /srv/t.git\npubkey: keys/a.pub\n");
    Provider provider = read_definition(ini, dir.path());
    CHECK(provider.pubkey == dir.path() / "keys/a.pub");
    CHECK_FALSE(provider.in_place());
    ini = put(dir.path() / "b.ini", "[provider]\nuri: /srv/t.git\npubkey: /k/a.pub\n");
    CHECK(read_definition(ini, dir.path()).pubkey == "/k/a.pub");
    ini = put(dir.path() / "c.ini", "[provider]\nuri: ext::sh -c id\n");
    CHECK_THROWS_AS(read_definition(ini, dir.path()), ProviderError);
    CHECK(same_definition(
        provider,
        read_definition(put(dir.path() / "x/a.ini", "[provider]\nuri= /srv/t.git\npubkey: ../keys/a.pub\n"),
                        dir.path())));
}

TEST_CASE("links that lead around do not make tests be found twice, or keep the search busy") {
    TempDirectory dir("provider");
    put(dir.path() / "t/generic/tests/hello.py");
    fs::create_directory_symlink("..", dir.path() / "t/generic/tests/up");
    fs::create_directory_symlink(".", dir.path() / "t/generic/here");
    put(dir.path() / "test-providers.d/t.ini",
        "[provider]\nuri: file://" + (dir.path() / "t").string() + "\n[generic]\nsubdir: generic\n");
    std::vector<Provider> providers = load_providers(dir.path(), dir.path() / "none");
    CHECK(find_test("hello", Params{{"provider", "t"}}, providers).path.filename() == "hello.py");
    CHECK_THROWS_AS(find_test("absent", Params{{"provider", "t"}}, providers), TestNotFoundError);
}
