// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_tools.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <unistd.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view mbr_code = "mbr.bin";

std::optional<std::string> look_for(std::string_view program) {
    if (program == mbr_code) {
        for (const char* place : {"/usr/lib/syslinux/mbr/mbr.bin", "/usr/share/syslinux/mbr.bin",
                                  "/usr/lib/syslinux/bios/mbr.bin", "/usr/lib/syslinux/mbr.bin"}) {
            if (::access(place, R_OK) == 0) {
                return place;
            }
        }
        return std::nullopt;
    }
    if (auto found = process::find_program(program)) {
        return found->string();
    }
    for (const char* dir : {"/usr/sbin/", "/sbin/"}) {
        if (auto found = process::find_program(dir + std::string(program))) {
            return found->string();
        }
    }
    return std::nullopt;
}

std::string missing_text(const HostTool& tool) {
    return fmt::format("{} (Debian package {}, Fedora package {})", tool.program, tool.debian, tool.fedora);
}

}  // namespace

const std::vector<HostTool>& guest_host_tools() {
    static const std::vector<HostTool> tools{
        {"apt-get", "apt", "apt"},
        {"apt-cache", "apt", "apt"},
        {"depmod", "kmod", "kmod"},
        {"mformat", "mtools", "mtools"},
        {"mcopy", "mtools", "mtools"},
        {"syslinux", "syslinux", "syslinux"},
        {mbr_code, "syslinux-common", "syslinux-nonlinux"},
        {"mke2fs", "e2fsprogs", "e2fsprogs"},
        {"fakeroot", "fakeroot", "fakeroot"},
        {"qemu-img", "qemu-utils", "qemu-img"},
    };
    return tools;
}

std::string find_tool(std::string_view program) {
    if (auto found = look_for(program)) {
        return *found;
    }
    const auto& tools = guest_host_tools();
    const auto tool =
        std::find_if(tools.begin(), tools.end(), [&](const auto& known) { return known.program == program; });
    throw GuestImageError(fmt::format("building the guest needs {}; install it",
                                      tool != tools.end() ? missing_text(*tool) : std::string(program)));
}

fs::path find_mbr_code() {
    return find_tool(mbr_code);
}

void check_host_tools() {
    std::vector<std::string> missing;
    for (const auto& tool : guest_host_tools()) {
        if (!look_for(tool.program)) {
            missing.push_back(missing_text(tool));
        }
    }
    if (!missing.empty()) {
        throw GuestImageError(fmt::format(
            "building the guest needs programs that are not here: {}; install them", join(missing, ", ")));
    }
}

void run_tool(std::vector<std::string> argv, const fs::path& working_dir, const Deadline& deadline) {
    process::Command command;
    argv.front() = find_tool(argv.front());
    command.argv = std::move(argv);
    command.working_dir = working_dir;
    command.environment["LC_ALL"] = "C.UTF-8";
    process::check(command, deadline);
}

}  // namespace vt::bootstrap
