// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/host_programs.hpp"
#include "runner/bootstrap/programs.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

/// Where it is, by the rule that tests follow; empty if it is not here.
fs::path locate(const Setup& setup, const Requirement& requirement) {
    // The user may have named a QEMU, and its tools are looked for beside it.
    resolver::HostPrograms programs = resolver::find_host_programs(setup.options.qemu_bin, "");
    const std::string& name = requirement.names.front();
    if (name == "qemu-kvm" && !programs.qemu.empty()) {
        return fs::exists(programs.qemu) ? programs.qemu : std::string();
    }
    if (name == "qemu-img" && !programs.qemu_img.empty()) {
        return programs.qemu_img;
    }
    if (name == "qemu-io" && !programs.qemu_io.empty()) {
        return programs.qemu_io;
    }
    return find(requirement).value_or(fs::path());
}

std::string packages_text(const Requirement& missing) {
    if (missing.debian.empty() && missing.fedora.empty()) {
        return "no distribution packages it";
    }
    return missing.debian == missing.fedora
               ? "package " + missing.debian
               : "package " + missing.debian + " in Debian, " + missing.fedora + " in Fedora";
}

/// Says of each whether it is there, and how to get those that are not.
void check(Setup& setup, const std::vector<Requirement>& requirements, const char* kind) {
    std::vector<Requirement> missing;
    std::vector<std::string> blocking;
    for (const Requirement& requirement : requirements) {
        if (fs::path path = locate(setup, requirement); !path.empty()) {
            log::info("{} OK", path.string());
            continue;
        }
        std::string names = join(requirement.names, " or ");
        missing.push_back(requirement);
        if (requirement.for_all_tests) {
            log::error("{} is missing, and no test of type {} runs without it ({})", names,
                       setup.options.type, packages_text(requirement));
            blocking.push_back(names);
        } else {
            log::info("{} {} is missing: {} ({})", kind, names, requirement.use, packages_text(requirement));
        }
    }
    if (missing.empty()) {
        return;
    }
    std::string os_release;
    try {
        os_release = read_file("/etc/os-release", std::size_t{1} << 20);
    } catch (const Error&) {
        // Some host without: any of the commands will tell its administrator what is meant.
    }
    std::string command = install_command(missing, package_tool(os_release));
    if (!command.empty()) {
        log::info("What is missing comes with: {}", command);
    }
    if (!blocking.empty()) {
        setup.outcome.problems.push_back(join(blocking, ", ") + " must be installed");
    }
}

}  // namespace

void check_mandatory_programs(Setup& setup) {
    Requirements all = requirements(setup.options.type, host_machine(), setup.options.guest_os);
    check(setup, all.mandatory, "Program or header");
}

void check_recommended_programs(Setup& setup) {
    Requirements all = requirements(setup.options.type, host_machine(), setup.options.guest_os);
    check(setup, all.recommended, "Recommended program");
}

}  // namespace vt::bootstrap
