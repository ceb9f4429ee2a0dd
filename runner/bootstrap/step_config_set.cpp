// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/parser.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/bootstrap/import_config.hpp"
#include "runner/bootstrap/setup.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_listed = 5;       // files written
constexpr std::size_t max_diff_lines = 20;  // of one edited file

void generate(const fs::path& path, const std::string& text) {
    if (write_if_changed(path, text)) {
        log::debug("Config file {} generated", path.string());
    }
}

void import_if_asked(const Setup& setup) {
    finish_import(setup.dir.path);
    if (setup.options.import_config.empty()) {
        return;
    }
    ImportReport report = import_config(setup.options.import_config, setup.dir.path);
    log::info("Imported {} guest definitions and {} definitions of downloads from {}", report.guests,
              report.assets, report.source);
}

std::string host_cfg(const Options& options) {
    HostDescription host = describe_this_host();
    for (auto [given, member] : {std::pair(&options.host_distro_name, &host.distro),
                                 std::pair(&options.host_distro_version, &host.version),
                                 std::pair(&options.host_distro_release, &host.release),
                                 std::pair(&options.host_distro_arch, &host.arch)}) {
        if (!given->empty()) {
            *member = *given;
        }
    }
    std::string text = host_text(host);
    try {
        cfg::parse({cfg::Input::string(text)});
    } catch (const cfg::ParserError& error) {
        throw BootstrapError(std::string("a --vt-host-distro-... option cannot be the name of a variant: ") +
                             error.what());
    }
    return text;
}

/// The trees of guest definitions; the user's manual has drop-ins below shared/cfg/guest-os.
GuestTrees guest_trees(const Setup& setup) {
    return {setup.install.config_share() / "shared" / "guest-os",
            {"/etc/avocado-vt/guest-os", setup.dir.path / "shared" / "cfg" / "guest-os",
             setup.dir.path / "guest-os"},
            imported_dir(setup.dir.path) / "guest-os"};
}

}  // namespace

void report_config_files(const Setup& setup, const ConfigSetReport& done, const char* why_kept) {
    if (done.written.size() > max_listed) {
        log::info("{} config files written below {}", done.written.size(), setup.dir.path.string());
    } else {
        for (const fs::path& path : done.written) {
            log::info("Config file {} written", path.string());
        }
    }
    std::vector<std::string> elsewhere;
    for (const KeptFile& file : done.kept) {
        if (!file.installed) {
            elsewhere.push_back(file.path.lexically_relative(setup.dir.path).string());
            continue;
        }
        log::info("{} differs from the new default and is kept: {}", file.path.string(), why_kept);
        for (const std::string& line : difference(file, max_diff_lines)) {
            log::info("    {}", line);
        }
    }
    if (!elsewhere.empty()) {
        log::info("Not installed by this program, different from its defaults, and kept: {}",
                  join(elsewhere, ", "));
    }
}

void make_config_set(Setup& setup) {
    import_if_asked(setup);
    fs::path cfg = setup.dir.backend_cfg(setup.options.type);
    report_config_files(setup,
                        install_config_files(config_files(setup.install.config_share(), setup.options.type,
                                                          setup.dir, setup.providers),
                                             setup.options.update_config, setup.dir, setup.notes),
                        "it was edited (--vt-update-config replaces it)");
    generate(cfg / "subtests.cfg", subtests_text(setup.options.type, setup.providers));
    if (setup.options.type != "lvsb") {
        generate(cfg / "guest-os.cfg", guest_os_text(guest_trees(setup)));
    }
    generate(cfg / "host.cfg", host_cfg(setup.options));
    // Resolving may begin now; the notes name what was installed so far, should the run be killed later.
    setup.notes.save(setup.dir);
    log::info("{} OK", cfg.string());
}

}  // namespace vt::bootstrap
