// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/programs.hpp"

#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"

#include <set>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace {

Program qemu(const std::string& machine) {
    bool x86 = machine == "x86_64" || machine == "i686";
    std::string system = machine == "ppc64le" ? "ppc64" : machine == "i686" ? "i386" : machine;
    std::string debian = x86                    ? "qemu-system-x86"
                         : machine == "aarch64" ? "qemu-system-arm"
                                                : "qemu-system-misc";
    return {{"qemu-kvm", "/usr/libexec/qemu-kvm", "qemu-system-" + system, "kvm"}, debian, "qemu-kvm"};
}

const Program qemu_img = {{"qemu-img"}, "qemu-utils", "qemu-img"};
const Program qemu_io = {{"qemu-io"}, "qemu-utils", "qemu-img"};
const Program virsh = {{"virsh"}, "libvirt-clients", "libvirt-client"};
const Program virt_install = {{"virt-install"}, "virtinst", "virt-install"};
const Program semanage = {{"semanage"}, "policycoreutils-python-utils", "policycoreutils-python-utils"};
const Program getfattr = {{"getfattr"}, "attr", "attr"};
const Program restorecon = {{"restorecon"}, "policycoreutils", "policycoreutils"};

const std::vector<Program> basics = {
    {{"xz"}, "xz-utils", "xz"},
    {{"tcpdump"}, "tcpdump", "tcpdump"},
    {{"nc"}, "netcat-openbsd", "nmap-ncat"},
    {{"ip"}, "iproute2", "iproute"},
    {{"arping"}, "iputils-arping", "iputils"},
    {{"diff"}, "diffutils", "diffutils"},
};

}  // namespace

ProgramList programs_for(const std::string& type, const std::string& machine) {
    ProgramList list;
    if (type == "lvsb") {
        list.mandatory = {{{"virt-sandbox"}, "libvirt-sandbox", "libvirt-sandbox"},
                          {{"virt-sandbox-service"}, "libvirt-sandbox", "libvirt-sandbox"},
                          virsh};
        list.recommended = {semanage, getfattr, restorecon};
        return list;
    }
    list.recommended = basics;
    auto recommend = [&](std::vector<Program> more) {
        list.recommended.insert(list.recommended.end(), more.begin(), more.end());
    };
    if (type == "qemu" || type == "spice" || type == "openvswitch") {
        list.mandatory = {qemu(machine), qemu_img};
        recommend({qemu_io, {{"gcc"}, "gcc", "gcc"}});
    }
    if (type == "qemu") {
        recommend({virsh});
    } else if (type == "libvirt") {
        list.mandatory = {virsh, qemu_img};
        recommend({virt_install, {{"fakeroot"}, "fakeroot", "fakeroot"}, semanage, getfattr, restorecon});
    } else if (type == "libguestfs") {
        recommend({{{"perl"}, "perl", "perl"}});
    } else if (type == "virttools") {
        list.mandatory = {virt_install,
                          {{"virt-clone"}, "virtinst", "virt-install"},
                          {{"virt-xml"}, "virtinst", "virt-install"}};
    }
    return list;
}

std::optional<std::filesystem::path> find(const Program& program) {
    for (const std::string& name : program.names) {
        if (auto path = process::find_program(name)) {
            return path;
        }
    }
    return std::nullopt;
}

std::string install_hint(const std::vector<Program>& missing) {
    bool debian = process::find_program("apt-get").has_value();
    std::set<std::string> packages;
    for (const Program& program : missing) {
        packages.insert(debian ? program.debian : program.fedora);
    }
    return fmt::format("{} install {}", debian ? "apt-get" : "dnf",
                       join({packages.begin(), packages.end()}, " "));
}

}  // namespace vt::bootstrap
