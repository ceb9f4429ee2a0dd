// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

void generate(const fs::path& path, const std::string& text) {
    if (write_if_changed(path, text)) {
        log::debug("Config file {} generated", path.string());
    }
}

}  // namespace

void report_config_files(const Setup& setup, const ConfigSetReport& done, const char* why_kept) {
    if (done.written.size() > 5) {
        log::info("{} config files written below {}", done.written.size(), setup.dir.path.string());
    } else {
        for (const fs::path& path : done.written) {
            log::info("Config file {} written", path.string());
        }
    }
    for (const fs::path& path : done.kept) {
        log::info("{} differs from the new default and is kept: {}", path.string(), why_kept);
    }
}

void make_config_set(Setup& setup) {
    report_config_files(setup,
                        install_config_files(config_files(setup.install.config_share(), setup.options.type,
                                                          setup.dir, setup.providers),
                                             setup.options.update_config, setup.dir, setup.notes),
                        "it was edited (--vt-update-config replaces it)");
    fs::path cfg = setup.dir.backend_cfg(setup.options.type);
    std::vector<fs::path> guest_roots = {setup.install.config_share() / "shared" / "guest-os",
                                         "/etc/avocado-vt/guest-os", setup.dir.path / "guest-os"};
    generate(cfg / "subtests.cfg", subtests_text(setup.options.type, setup.providers));
    if (setup.options.type != "lvsb") {
        generate(cfg / "guest-os.cfg", guest_os_text(guest_roots));
    }
    HostDescription host = describe_this_host();
    for (auto [given, member] : {std::pair(&setup.options.host_distro_name, &host.distro),
                                 std::pair(&setup.options.host_distro_version, &host.version),
                                 std::pair(&setup.options.host_distro_release, &host.release),
                                 std::pair(&setup.options.host_distro_arch, &host.arch)}) {
        if (!given->empty()) {
            *member = *given;
        }
    }
    generate(cfg / "host.cfg", host_text(host));
    // Resolving may begin now; the notes name what was installed so far, should the run be killed later.
    setup.notes.save(setup.dir);
    log::info("{} OK", cfg.string());
}

}  // namespace vt::bootstrap
