// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/host_programs.hpp"

#include "runner/process/process.hpp"

#include <filesystem>
#include <fstream>
#include <vector>

#include <sys/utsname.h>

namespace vt::resolver {

namespace fs = std::filesystem;

namespace {

bool is_script(const fs::path& program) {
    std::ifstream file(program, std::ios::binary);
    char magic[2] = {};
    return file.read(magic, 2) && magic[0] == '#' && magic[1] == '!';
}

std::string emulator_name() {
    struct utsname host = {};
    uname(&host);
    std::string machine = host.machine;
    return "qemu-system-" + (machine == "ppc64le" ? std::string("ppc64")
                             : machine == "i686"  ? "i386"
                                                  : machine);
}

std::string default_qemu() {
    for (const std::string& name : {std::string("qemu-kvm"), std::string("kvm")}) {
        if (auto path = process::find_program(name); path && !is_script(*path)) {
            return path->string();
        }
    }
    // Enterprise Linux keeps it away from PATH.
    for (const std::string& name : {std::string("/usr/libexec/qemu-kvm"), emulator_name()}) {
        if (auto path = process::find_program(name)) {
            return path->string();
        }
    }
    return {};
}

/// \p name beside \p qemu, else on PATH.
std::string tool(const std::string& qemu, const std::string& name) {
    fs::path beside = fs::path(qemu).parent_path() / name;
    if (std::error_code error; !qemu.empty() && fs::is_regular_file(beside, error)) {
        return beside.string();
    }
    auto path = process::find_program(name);
    return path ? path->string() : std::string();
}

}  // namespace

HostPrograms find_host_programs(const std::string& qemu_bin, const std::string& qemu_dst_bin) {
    HostPrograms programs;
    programs.qemu = qemu_bin.empty() ? default_qemu() : qemu_bin;
    programs.qemu_img = tool(programs.qemu, "qemu-img");
    programs.qemu_io = tool(programs.qemu, "qemu-io");
    programs.qemu_dst = qemu_dst_bin.empty() ? default_qemu() : qemu_dst_bin;
    return programs;
}

}  // namespace vt::resolver
