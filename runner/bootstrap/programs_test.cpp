// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/programs.hpp"

#include "providers/provider.hpp"
#include "runner/support/file.hpp"

#include <algorithm>
#include <cstdlib>

#include <doctest/doctest.h>

using namespace vt;
using namespace vt::bootstrap;

namespace {

bool lists(const std::vector<Requirement>& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(), [&](const Requirement& requirement) {
        return std::find(requirement.names.begin(), requirement.names.end(), name) != requirement.names.end();
    });
}

std::vector<std::string> blocking(const Requirements& all) {
    std::vector<std::string> names;
    for (const auto* list : {&all.mandatory, &all.recommended}) {
        for (const Requirement& requirement : *list) {
            if (requirement.for_all_tests) {
                names.push_back(requirement.names.front());
            }
        }
    }
    return names;
}

}  // namespace

TEST_CASE("programs: every type has upstream's list") {
    struct Wanted {
        std::string type;
        std::vector<std::string> mandatory;
        std::vector<std::string> recommended;
    };
    const std::vector<std::string> basics = {"xz", "tcpdump", "nc", "ip", "arping", "diff"};
    auto with = [&](std::vector<std::string> more) {
        more.insert(more.end(), basics.begin(), basics.end());
        return more;
    };
    const std::vector<Wanted> upstream = {
        {"qemu", with({"gcc", "qemu-img", "kvm", "/usr/include/asm/unistd.h"}), {"qemu-io", "virsh"}},
        {"spice", with({"gcc", "qemu-img", "qemu-kvm"}), {"qemu-io"}},
        {"libvirt", with({"virsh"}), {"virt-install", "fakeroot", "semanage", "getfattr", "restorecon"}},
        {"openvswitch", basics, {}},
        {"v2v", basics, {}},
        {"libguestfs", basics, {"perl"}},
        {"virttools", with({"virt-install", "virt-clone", "virt-xml"}), {}},
        {"lvsb", {"virt-sandbox", "virt-sandbox-service", "virsh"}, {"semanage", "getfattr", "restorecon"}},
    };
    CHECK(upstream.size() == providers::known_types().size());
    for (const Wanted& wanted : upstream) {
        INFO(wanted.type);
        Requirements all = requirements(wanted.type, "x86_64", "");
        for (const std::string& name : wanted.mandatory) {
            CHECK_MESSAGE(lists(all.mandatory, name), name);
        }
        for (const std::string& name : wanted.recommended) {
            CHECK_MESSAGE(lists(all.recommended, name), name);
        }
        for (const auto* list : {&all.mandatory, &all.recommended}) {
            for (const Requirement& requirement : *list) {
                INFO(requirement.names.front());
                CHECK(requirement.debian.empty() == requirement.fedora.empty());
                CHECK(requirement.debian.empty() == requirement.names.front().starts_with("virt-sandbox"));
                CHECK_FALSE(requirement.use.empty());
            }
        }
    }
}

TEST_CASE("programs: only what no test can do without stands in the way") {
    CHECK(blocking(requirements("qemu", "x86_64", "")) == std::vector<std::string>{"qemu-kvm", "qemu-img"});
    CHECK(blocking(requirements("libvirt", "x86_64", "")) == std::vector<std::string>{"virsh", "qemu-img"});
    CHECK(blocking(requirements("v2v", "x86_64", "")).empty());
    CHECK(blocking(requirements("libguestfs", "x86_64", "")).empty());
}

TEST_CASE("programs: a guest other than JeOS needs no xz") {
    CHECK(lists(requirements("qemu", "x86_64", "").mandatory, "xz"));
    CHECK(lists(requirements("qemu", "x86_64", "JeOS.27.x86_64").mandatory, "xz"));
    CHECK_FALSE(lists(requirements("qemu", "x86_64", "Fedora.42").mandatory, "xz"));
}

TEST_CASE("programs: the emulator is the host's") {
    CHECK(lists(requirements("qemu", "aarch64", "").mandatory, "qemu-system-aarch64"));
    CHECK(lists(requirements("qemu", "ppc64le", "").mandatory, "qemu-system-ppc64"));
    CHECK(requirements("qemu", "aarch64", "").mandatory.front().debian == "qemu-system-arm");
}

TEST_CASE("programs: an alternative counts, wherever an ordinary user's PATH does not lead") {
    TempDirectory temp("programs");
    write_file_atomically(temp.path() / "second", "#!/bin/sh\n", 0755);
    std::string path = std::getenv("PATH") != nullptr ? std::getenv("PATH") : "";
    setenv("PATH", temp.path().c_str(), 1);
    auto found = find({{"no-such-first", "second"}, "d", "f", "u"});
    auto none = find({{"no-such-first"}, "d", "f", "u"});
    auto header = find({{"/usr/include/no-such/x.h", "/usr/include/stdio.h"}, "d", "f", "u"});
    setenv("PATH", path.c_str(), 1);
    CHECK(found == temp.path() / "second");
    CHECK_FALSE(none);
    CHECK(header == std::filesystem::path("/usr/include/stdio.h"));
}

TEST_CASE("programs: the command to install them is the distribution's") {
    const std::vector<Requirement> missing = {{{"nc"}, "netcat-openbsd", "nmap-ncat", "u"},
                                              {{"arping"}, "iputils-arping", "iputils", "u"},
                                              {{"virt-clone"}, "virtinst", "virt-install", "u"},
                                              {{"virt-xml"}, "virtinst", "virt-install", "u"}};
    CHECK(install_command(missing, package_tool("ID=debian\n")) ==
          "apt-get install iputils-arping netcat-openbsd virtinst");
    CHECK(install_command(missing, package_tool("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n")) ==
          "apt-get install iputils-arping netcat-openbsd virtinst");
    // A Fedora where somebody installed apt is a Fedora.
    CHECK(install_command(missing, package_tool("ID=fedora\n")) ==
          "dnf install iputils nmap-ncat virt-install");
    CHECK(install_command(missing, package_tool("ID='rocky'\nID_LIKE='rhel centos fedora'\n")) ==
          "dnf install iputils nmap-ncat virt-install");
    CHECK(package_tool("ID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\n") == PackageTool::zypper);
    CHECK(package_tool("") == PackageTool::dnf);
}
