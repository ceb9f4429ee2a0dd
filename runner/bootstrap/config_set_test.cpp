// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/config_set.hpp"

#include "cfg/expander.hpp"
#include "cfg/parser.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/support/file.hpp"

#include <algorithm>
#include <initializer_list>

#include <doctest/doctest.h>

using namespace vt;
using namespace vt::bootstrap;
namespace fs = std::filesystem;

namespace {

fs::path put(const fs::path& path, std::string_view text = {}) {
    fs::create_directories(path.parent_path());
    write_file_atomically(path, text);
    return path;
}

std::vector<std::string> names_of(const std::string& text) {
    std::vector<std::string> names;
    cfg::Expander expander(cfg::parse({cfg::Input::string(text)}));
    while (const cfg::Dictionary* dictionary = expander.next()) {
        names.emplace_back(dictionary->name);
    }
    return names;
}

Params first_of(const std::string& text, const std::string& only) {
    cfg::Expander expander(cfg::parse({cfg::Input::string(text), cfg::Input::only(only)}));
    return expander.next()->to_params();
}

}  // namespace

TEST_CASE("config files: new ones are written, untouched ones updated, edited ones kept") {
    TempDirectory temp("config-set");
    resolver::DataDir dir{temp.path()};
    resolver::DataDirNotes notes;
    fs::path base = dir.backend_cfg("qemu") / "base.cfg";
    auto install = [&](const std::string& text, bool replace = false) {
        return install_config_files({{base, text}}, replace, dir, notes);
    };
    CHECK(install("one").written.size() == 1);
    CHECK(install("one").written.empty());
    CHECK(install("two").written.size() == 1);
    write_file_atomically(base, "mine");
    CHECK(install("three").kept.size() == 1);
    CHECK(read_file(base) == "mine");
    // Nor does it become ours by being kept.
    CHECK(install("four").kept.size() == 1);
    CHECK(install("four", true).written.size() == 1);
    CHECK(read_file(base) == "four");
    // Without notes, as where upstream bootstrapped, every difference is an edit.
    notes.installed.clear();
    CHECK(install("five").kept.size() == 1);
}

TEST_CASE("guest-os.cfg: folders nest, drop-ins lie over the shipped tree") {
    TempDirectory temp("guest-os");
    put(temp.path() / "a/Linux.cfg", "- @Linux:\n    os_type = linux\n");
    put(temp.path() / "a/Linux/JeOS.cfg", "- JeOS:\n    x = 1\n");
    put(temp.path() / "a/Linux/JeOS/27.cfg", "# comment\n\n- 27:\n    image_name = images/jeos\n");
    put(temp.path() / "a/Linux/Custom/none.cfg", "- none:\n");
    put(temp.path() / "b/Linux/Custom/mine.cfg", "- Mine:\n    image_name = images/mine\n");
    std::string text = guest_os_text({temp.path() / "a", {temp.path() / "b", temp.path() / "no_such"}, {}});
    CHECK(names_of(text) == std::vector<std::string>{"Guest.Linux.Custom.Mine", "Guest.Linux.Custom.none",
                                                     "Guest.Linux.JeOS.27"});
    CHECK(first_of(text, "27").get("os_type") == "linux");
    CHECK(first_of(text, "27").get("x") == "1");
    CHECK(first_of(text, "Mine").get("image_name") == "images/mine");
}

TEST_CASE("guest-os.cfg: an imported tree fills in what is not there, in whatever shape it is there") {
    TempDirectory temp("guest-os");
    fs::path a = temp.path() / "a";
    fs::path b = temp.path() / "b";
    put(a / "Linux.cfg", "- @Linux:\n    from = a\n");
    put(a / "Linux/RHEL.cfg", "- RHEL:\n    x = a\n");
    put(a / "Linux/RHEL/7.8.cfg", "- 7.8:\n    variants:\n        - x86_64:\n        - ppc64le:\n");
    put(a / "Linux/RHEL/16.0.cfg", "- 16.0:\n    variants:\n        - ppc64le:\n");
    put(b / "Linux.cfg", "- @Linux:\n    from = b\n");
    put(b / "Linux/RHEL.cfg", "- RHEL:\n    x = b\n");
    put(b / "Linux/RHEL/7.8.cfg", "- 7.8:\n    x = imported\n");
    put(b / "Linux/RHEL/7.8/x86_64.cfg", "- x86_64:\n");
    put(b / "Linux/RHEL/6.9.cfg", "- 6.9:\n");
    put(b / "Linux/RHEL/6.9/i386.cfg", "- i386:\n");
    put(b / "Linux/RHEL/16.0.ppc64le.cfg", "- 16.0.ppc64le:\n");
    put(b / "Linux/RHEL/16.0.s390x.cfg", "- 16.0.s390x:\n");
    put(b / "Linux/Old.cfg", "- Old:\n    y = b\n");
    std::string text = guest_os_text({a, {}, b});
    CHECK(names_of(text) ==
          std::vector<std::string>{"Guest.Linux.Old", "Guest.Linux.RHEL.16.0.ppc64le",
                                   "Guest.Linux.RHEL.16.0.s390x", "Guest.Linux.RHEL.6.9.i386",
                                   "Guest.Linux.RHEL.7.8.x86_64", "Guest.Linux.RHEL.7.8.ppc64le"});
    CHECK(first_of(text, "7.8.x86_64").get("x") == "a");
    CHECK(first_of(text, "6.9").get("from") == "a");
    CHECK(first_of(text, "Old").get("y") == "b");
}

TEST_CASE("guest-os.cfg: a drop-in that is no definition is left out, the others stay") {
    TempDirectory temp("guest-os");
    put(temp.path() / "a/Linux/JeOS.cfg", "- JeOS:\n");
    for (const auto& [name, text] : std::initializer_list<std::pair<const char*, std::string>>{
             {"good", "\n# mine\n- Good:\n    image_name = images/good\n"},
             {"readme", "Foo:\n    image_name = images/foo\n"},
             {"operator", "- Foo:\n    image_name = images/foo\n    password\n"},
             {"indented", "- Foo:\n        a = b\n    c = d\n"},
             {"empty", "\n"},
             {"bytes", std::string("- Foo:\n    a = \xff\x00\n", 17)},
             {"unreadable", "- Foo\n"}}) {
        put(temp.path() / "b/Linux/LinuxCustom" / (std::string(name) + ".cfg"), text);
    }
    fs::create_directories(temp.path() / "b/Linux/LinuxCustom/folder.cfg");
    std::string text = guest_os_text({temp.path() / "a", {temp.path() / "b"}, {}});
    std::vector<std::string> names = names_of(text);
    CHECK(std::find(names.begin(), names.end(), "Guest.Linux.LinuxCustom.Good") != names.end());
    CHECK(std::find(names.begin(), names.end(), "Guest.Linux.JeOS") != names.end());
    CHECK(text.find("Foo:\n    image") == std::string::npos);
    CHECK(text.find("password") == std::string::npos);
}

TEST_CASE("subtests.cfg: installations first, the type's own, shared ones, what shuts down last") {
    TempDirectory temp("subtests");
    fs::path t = temp.path() / "t";
    put(t / "generic/tests/cfg/boot.cfg", "- boot: install\n    type = boot\n");
    put(t / "generic/tests/cfg/shutdown.cfg", "- shutdown:\n    type = shutdown\n");
    put(t / "generic/cfg/base.cfg", "- never:\n");
    put(t / "qemu/tests/cfg/unattended_install.cfg",
        "- unattended_install:\n    type = unattended_install\n");
    put(t / "qemu/tests/cfg/migrate.cfg",
        "- @migrate:\n    provider = own\n    type = migrate\n    variants:\n        - tcp:\n        - "
        "unix:\n");
    std::vector<providers::Provider> list = {{"t",
                                              "file://x",
                                              "",
                                              "",
                                              "",
                                              "x.ini",
                                              t,
                                              {{"generic", t / "generic", {}}, {"qemu", t / "qemu", {}}},
                                              {},
                                              false}};
    std::string text = subtests_text("qemu", list);
    CHECK(names_of(text) ==
          std::vector<std::string>{"(subtest=t).(subtest=unattended_install)",
                                   "(subtest=type_specific).(subtest=t).(subtest=migrate).tcp",
                                   "(subtest=type_specific).(subtest=t).(subtest=migrate).unix",
                                   "(subtest=t).(subtest=boot)", "(subtest=t).(subtest=shutdown)"});
    CHECK(first_of(text, "tcp").get("virt_test_type") == "qemu");
    CHECK(first_of(text, "tcp").get("provider") == "own");
    CHECK(first_of(text, "boot").get("provider") == "t");
    CHECK_FALSE(first_of(text, "boot").contains("virt_test_type"));
    // Of a type without tests of its own there is no empty test left.
    CHECK(names_of(subtests_text("libvirt", list)).size() == 2);
}

TEST_CASE("a built-in test steps aside where another provider supplies one of that type") {
    TempDirectory temp("subtests");
    fs::path builtin = temp.path() / "builtin";
    put(builtin / "generic/tests/cfg/uptime.cfg", "- uptime:\n    type = uptime\n");
    put(builtin / "generic/tests/cfg/noop.cfg", "- noop:\n    type = noop\n");
    put(temp.path() / "t/generic/tests/uptime.py", "");
    put(temp.path() / "test-providers.d/t.ini",
        "[provider]\nuri: file://" + (temp.path() / "t").string() + "\n[generic]\nsubdir: generic\n");
    CHECK(names_of(subtests_text("qemu", providers::load_providers(temp.path(), builtin))) ==
          std::vector<std::string>{"(subtest=builtin).(subtest=noop)"});
    fs::remove(temp.path() / "test-providers.d/t.ini");
    CHECK(names_of(subtests_text("qemu", providers::load_providers(temp.path(), builtin))).size() == 2);
}

TEST_CASE("host.cfg describes distribution and processor as upstream does") {
    auto host = describe_host(
        "ID=debian\nVERSION_ID=\"12\"\n", "12.4\n",
        "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Core(TM) i5-5300U CPU @ 2.30GHz\n", "", "x86_64");
    CHECK(host_text(host).find("- @Host_debian:") != std::string::npos);
    CHECK(names_of(host_text(host)) ==
          std::vector<std::string>{"HostCpuVendor.intel.Host.Host_debian.mNone.u12.Host_arch_x86_64"});
    host = describe_host("ID=\"rhel\"\nVERSION_ID=\"9.3\"\n", "",
                         "vendor_id : AuthenticAMD\ncpu family : 25\n", "", "x86_64");
    CHECK(names_of(host_text(host)) ==
          std::vector<std::string>{"HostCpuFamily.25.HostCpuVendor.amd.Host.RHEL.m9.u3.Host_arch_x86_64"});
    host = describe_host("ID=fedora\nVERSION_ID=39\n", "",
                         "model name : Intel(R) Xeon(R) E5 v3 CPU @ 2\nGenuineIntel", "haswell\n", "x86_64");
    CHECK(names_of(host_text(host)) ==
          std::vector<std::string>{"HostCpuFamily.haswell.HostCpuVersion.v3.HostCpuVendor.intel.Host.Fedora."
                                   "m39.u0.Host_arch_x86_64"});
}
