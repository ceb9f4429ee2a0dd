// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/selinux.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> directories(const Setup& setup) {
    return {setup.dir.images(),
            setup.dir.path / "isos",
            setup.dir.path / "steps_data",
            setup.dir.path / "gpg",
            setup.dir.path / "downloads",
            setup.dir.backend_cfg(setup.options.type),
            providers::downloads_dir(setup.dir.path),
            setup.dir.path / "test-providers.d",
            setup.dir.path / "guest-os"};
}

/// Links are followed: what counts is where the files really are.
SelinuxLabel label(const fs::path& path, const char* type, bool with_content) {
    std::error_code error;
    fs::path real = fs::canonical(path, error);
    return {error ? path : real, type, with_content};
}

void verify_contexts(const Setup& setup) {
    const bool set = setup.options.selinux_setup;
    SelinuxReport report = check_selinux(
        selinux_of_this_host(),
        {label(setup.dir.path, "virt_var_lib_t", false), label(setup.dir.images(), "virt_image_t", true),
         label(setup.dir.path / "isos", "virt_content_t", true)},
        set);
    if (report.mode == SelinuxMode::absent) {
        if (set) {
            log::info("This host has no SELinux: there are no contexts to set up");
        }
        return;
    }
    if (report.relabelled > 0) {
        log::info("SELinux contexts of {} directories were set up", report.relabelled);
    }
    for (const std::string& sentence : report.wrong) {
        log::info("{}", sentence);
    }
    if (report.wrong.empty()) {
        log::info("SELinux contexts OK");
        return;
    }
    log::info("{}", set ? "Setting them up failed; as root, these commands do it:"
                        : "--vt-selinux-setup sets them up, as do these commands:");
    for (const std::string& command : report.commands) {
        log::info("    {}", command);
    }
}

}  // namespace

void make_directories(const Setup& setup) {
    for (const fs::path& path : directories(setup)) {
        fs::create_directories(path);
    }
}

void remove_leftovers(const Setup& setup) {
    std::vector<fs::path> dirs = directories(setup);
    dirs.push_back(setup.dir.path);
    for (const fs::path& dir : providers::definition_dirs(setup.dir.path)) {
        dirs.push_back(dir);
    }
    // The other types' own config files are copied along.
    for (const std::string& type : providers::known_types()) {
        dirs.push_back(setup.dir.backend_cfg(type));
    }
    for (const fs::path& dir : dirs) {
        remove_half_written(dir);
    }
}

void verify_directories(const Setup& setup) {
    for (const fs::path& path : directories(setup)) {
        log::debug("{} OK", path.string());
    }
    verify_contexts(setup);
}

}  // namespace vt::bootstrap
