// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/selection_options.hpp"

#include "resolver/data_dir.hpp"
#include "resolver/resolver.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace vt {

void SelectionOptions::add_to(CLI::App& command, bool all) {
    auto add = [&](const char* option, const char* setting, const char* help) {
        command.add_option(option, settings_[setting], help);
    };
    command.add_option("--data-dir", data_dir_, "Data directory (default: Avocado's, plus avocado-vt)");
    add("--vt-type", "type", "Type of the tests (default: qemu)");
    add("--vt-guest-os", "guest_os", "Guest, an only-filter (default: the data directory's default guest)");
    add("--vt-arch", "common.arch", "Architecture, an only-filter");
    add("--vt-machine-type", "common.machine_type", "Machine type, an only-filter");
    if (!all) {
        return;
    }
    add("--vt-config", "config", "Cartesian config in place of the data directory's test set");
    add("--vt-save-config", "save_config", "Write what was selected to this file, for --vt-config");
    command.add_flag("--vt-short-names-when-config", short_names_, "With --vt-config: short names of tests");
    add("--vt-only-filter", "only_filter", "Only tests that match each of these filters");
    add("--vt-no-filter", "no_filter", "No tests that match one of these filters");
    add("--vt-filter-default-filters", "filter.default_filters", "Default filters to leave out");
    add("--vt-qemu-bin", "qemu.qemu_bin", "QEMU to test");
    add("--vt-qemu-dst-bin", "qemu.qemu_dst_bin", "QEMU for the destination of migrations");
    add("--vt-connect-uri", "libvirt.connect_uri", "URI of the hypervisor");
    add("--vt-list-limit", "list.limit", "The tests that a list may have (default: 1000000)");
    command
        .add_option("--vt-extra-params", extra_params_,
                    "KEY=VALUE to set in all tests; may be given several times")
        ->allow_extra_args(false);
}

nlohmann::json SelectionOptions::settings() const {
    nlohmann::json settings = nlohmann::json::object();
    for (const auto& [name, value] : settings_) {
        if (value) {
            settings["vt." + name] = *value;
        }
    }
    settings["vt.extra_params"] = extra_params_;
    settings["vt.short_names_when_config"] = short_names_;
    return settings;
}

resolver::Selection SelectionOptions::selection() const {
    return resolver::selection_from_settings(settings(), resolver::default_data_dir(data_dir_));
}

std::optional<std::string> SelectionOptions::guest_os() const {
    return settings_.at("guest_os");
}

}  // namespace vt
