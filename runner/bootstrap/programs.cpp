// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/programs.hpp"

#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"

#include <set>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

using List = std::vector<Requirement>;

Requirement qemu(const std::string& machine) {
    bool x86 = machine == "x86_64" || machine == "i686";
    std::string system = machine == "ppc64le" ? "ppc64" : machine == "i686" ? "i386" : machine;
    std::string debian = x86                          ? "qemu-system-x86"
                         : machine == "aarch64"       ? "qemu-system-arm"
                         : machine.starts_with("ppc") ? "qemu-system-ppc"
                                                      : "qemu-system-misc";
    return {{"qemu-kvm", "/usr/libexec/qemu-kvm", "qemu-system-" + system, "kvm"},
            debian,
            "qemu-kvm",
            "virtual machines",
            true};
}

Requirement for_all(Requirement requirement) {
    requirement.for_all_tests = true;
    return requirement;
}

const Requirement qemu_img = {{"qemu-img"}, "qemu-utils", "qemu-img", "disk images", true};
const Requirement qemu_io = {{"qemu-io"}, "qemu-utils", "qemu-img", "tests of disk images"};
const Requirement virsh = {{"virsh"}, "libvirt-clients", "libvirt-client", "tests of libvirt"};
const Requirement virt_install = {{"virt-install"}, "virtinst", "virt-install", "making libvirt's guests"};
const Requirement fakeroot = {
    {"fakeroot"}, "fakeroot", "fakeroot", "building the small guest, installing Debian and Ubuntu from CD"};
const Requirement make_iso = {{"mkisofs", "genisoimage", "xorrisofs"},
                              "genisoimage",
                              "genisoimage",
                              "installing guests, whose answer files are on a CD"};
const Requirement semanage = {{"semanage"},
                              "policycoreutils-python-utils",
                              "policycoreutils-python-utils",
                              "SELinux contexts that last"};
const Requirement restorecon = {{"restorecon"}, "policycoreutils", "policycoreutils", "SELinux contexts"};
const Requirement getfattr = {{"getfattr"}, "attr", "attr", "tests of SELinux contexts"};
// No distribution of today packages it.
const Requirement virt_sandbox = {{"virt-sandbox"}, "", "", "sandboxes", true};

Requirement header(const std::string& name, const std::string& machine, const std::string& debian,
                   const std::string& fedora) {
    return {{"/usr/include/" + name, "/usr/include/" + machine + "-linux-gnu/" + name},
            debian,
            fedora,
            "tests that compile something on this host"};
}

/// What every type but lvsb lists as mandatory.
List basics(const std::string& guest_os) {
    List list;
    if (guest_os.empty() || guest_os.find("JeOS") != std::string::npos) {
        list.push_back({{"xz"}, "xz-utils", "xz", "unpacking upstream's JeOS image by hand"});
    }
    const List others = {
        {{"tcpdump"}, "tcpdump", "tcpdump", "finding the addresses of guests on a bridge"},
        {{"nc", "ncat", "netcat"}, "netcat-openbsd", "nmap-ncat", "tests that talk to devices by nc"},
        {{"ip"}, "iproute2", "iproute", "networks other than QEMU's own"},
        {{"arping"}, "iputils-arping", "iputils", "finding the addresses of guests on a bridge"},
        {{"diff"}, "diffutils", "diffutils", "showing how edited config files differ"},
    };
    list.insert(list.end(), others.begin(), others.end());
    return list;
}

List toolchain(const std::string& machine) {
    return {{{"gcc"}, "gcc", "gcc", "tests that compile something on this host"},
            header("asm/unistd.h", machine, "linux-libc-dev", "kernel-headers"),
            header("sys/types.h", machine, "libc6-dev", "glibc-devel"),
            header("sys/socket.h", machine, "libc6-dev", "glibc-devel")};
}

void append(List& list, const List& more) {
    list.insert(list.end(), more.begin(), more.end());
}

}  // namespace

Requirements requirements(const std::string& type, const std::string& machine, const std::string& guest_os) {
    Requirements result;
    if (type == "lvsb") {
        Requirement service = virt_sandbox;
        service.names = {"virt-sandbox-service"};
        result.mandatory = {virt_sandbox, service, for_all(virsh)};
        result.recommended = {semanage, getfattr, restorecon};
        return result;
    }
    bool runs_qemu = type == "qemu" || type == "spice" || type == "openvswitch";
    if (runs_qemu) {
        result.mandatory = {qemu(machine), qemu_img};
    } else if (type == "libvirt") {
        result.mandatory = {for_all(virsh), qemu_img};
    } else if (type == "virttools") {
        for (const char* name : {"virt-install", "virt-clone", "virt-xml"}) {
            Requirement tool = for_all(virt_install);
            tool.names = {name};
            tool.use = "tests of the tools around libvirt";
            result.mandatory.push_back(tool);
        }
    }
    append(result.mandatory, basics(guest_os));
    if (type == "qemu" || type == "spice") {
        append(result.mandatory, toolchain(machine));
    }
    if (runs_qemu) {
        result.recommended = {qemu_io};
    }
    if (type == "qemu") {
        append(result.recommended, {virsh, fakeroot, make_iso});
    } else if (type == "libvirt") {
        append(result.recommended, {virt_install, fakeroot, make_iso, semanage, getfattr, restorecon});
    } else if (type == "openvswitch") {
        result.recommended.push_back(
            {{"ovs-vsctl"}, "openvswitch-switch", "openvswitch", "bridges of Open vSwitch"});
    } else if (type == "v2v") {
        result.recommended.push_back({{"virt-v2v"}, "virt-v2v", "virt-v2v", "converting guests"});
    } else if (type == "libguestfs") {
        result.recommended = {{{"perl"}, "perl", "perl", "tests of libguestfs' own suite"},
                              {{"guestfish"}, "libguestfs-tools", "guestfs-tools", "tests of guestfish"}};
    }
    return result;
}

std::optional<fs::path> find(const Requirement& requirement) {
    for (const std::string& name : requirement.names) {
        if (name.starts_with("/usr/include/")) {
            if (std::error_code error; fs::exists(name, error)) {
                return name;
            }
            continue;
        }
        if (auto path = process::find_program(name)) {
            return path;
        }
        // An ordinary user's PATH often leaves these out.
        for (const char* dir : {"/usr/sbin/", "/sbin/", "/usr/local/sbin/"}) {
            if (name.front() != '/') {
                if (auto path = process::find_program(dir + name)) {
                    return path;
                }
            }
        }
    }
    return std::nullopt;
}

PackageTool package_tool(std::string_view os_release) {
    std::set<std::string> names;
    for (const std::string& line : split(os_release, '\n')) {
        for (std::string_view key : {"ID=", "ID_LIKE="}) {
            if (line.starts_with(key)) {
                std::string value = replace_all(replace_all(line.substr(key.size()), "\"", ""), "'", "");
                for (const std::string& word : split_words(value)) {
                    names.insert(word);
                }
            }
        }
    }
    if (names.contains("debian") || names.contains("ubuntu")) {
        return PackageTool::apt_get;
    }
    if (names.contains("suse") || names.contains("opensuse") || names.contains("sles")) {
        return PackageTool::zypper;
    }
    return PackageTool::dnf;
}

std::string install_command(const std::vector<Requirement>& missing, PackageTool tool) {
    std::set<std::string> packages;
    for (const Requirement& requirement : missing) {
        packages.insert(tool == PackageTool::apt_get ? requirement.debian : requirement.fedora);
    }
    packages.erase("");
    const char* program = tool == PackageTool::apt_get  ? "apt-get"
                          : tool == PackageTool::zypper ? "zypper"
                                                        : "dnf";
    return packages.empty()
               ? std::string()
               : fmt::format("{} install {}", program, join({packages.begin(), packages.end()}, " "));
}

}  // namespace vt::bootstrap
