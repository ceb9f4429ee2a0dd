// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/errors.hpp"
#include "cfg/parser.hpp"
#include "providers/provider.hpp"
#include "resolver/setting_errors.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::resolver {

namespace fs = std::filesystem;

namespace {

/// What a user may have typed to get to a setting.
std::string spelled(std::string_view name) {
    static const std::pair<std::string_view, std::string_view> options[] = {
        {"type", "--vt-type"},
        {"config", "--vt-config"},
        {"save_config", "--vt-save-config"},
        {"guest_os", "--vt-guest-os"},
        {"extra_params", "--vt-extra-params"},
        {"only_filter", "--vt-only-filter"},
        {"no_filter", "--vt-no-filter"},
        {"filter.default_filters", "--vt-filter-default-filters"},
        {"common.arch", "--vt-arch"},
        {"common.machine_type", "--vt-machine-type"},
        {"qemu.qemu_bin", "--vt-qemu-bin"},
        {"qemu.qemu_dst_bin", "--vt-qemu-dst-bin"},
        {"libvirt.connect_uri", "--vt-connect-uri"},
    };
    for (auto [setting, option] : options) {
        if (setting == name) {
            return fmt::format("option {} (setting vt.{})", option, name);
        }
    }
    return fmt::format("setting vt.{}", name);
}

void check_one_of(std::string_view name, std::string_view value, const std::vector<std::string>& allowed) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
        return;
    }
    std::vector<std::string> shown;
    shown.reserve(allowed.size());
    for (const std::string& one : allowed) {
        shown.push_back(one.empty() ? "nothing" : one);
    }
    throw bad_value(name, value, fmt::format("possible are {}", join(shown, ", ")));
}

void check_file(std::string_view name, const std::string& path) {
    std::error_code error;
    if (!path.empty() && !fs::is_regular_file(path, error)) {
        throw bad_value(name, path, "expected a file that is there");
    }
}

void check_one_line(std::string_view name, std::string_view value, std::string_view what) {
    if (value.find_first_of("\n\r") != std::string::npos) {
        throw bad_value(name, value, fmt::format("{} has one line", what));
    }
}

void check_filter(std::string_view name, const std::string& filter) {
    check_one_line(name, filter, "a filter");
    if (trim(filter).empty()) {
        return;
    }
    try {
        cfg::Parser().only_filter(filter);
    } catch (const cfg::ParserError& error) {
        throw bad_value(name, filter,
                        fmt::format("it is no filter of the Cartesian language: {}", error.report().message));
    }
}

void check_filters(const Selection& selection) {
    for (auto [name, filter] :
         {std::pair("guest_os", &selection.guest_os), std::pair("common.arch", &selection.arch),
          std::pair("common.machine_type", &selection.machine_type)}) {
        check_filter(name, *filter);
    }
    for (auto [name, filters] :
         {std::pair("only_filter", &selection.only_filter), std::pair("no_filter", &selection.no_filter)}) {
        check_one_line(name, *filters, "a filter");
        for (const std::string& filter : split_words(*filters)) {
            check_filter(name, filter);
        }
    }
    for (const std::string& filter : selection.default_filters) {
        check_one_of("filter.default_filters", filter,
                     {default_filter_names.begin(), default_filter_names.end()});
    }
}

void check_extra_params(const Selection& selection) {
    for (const auto& [key, value] : selection.extra_params) {
        check_one_line("extra_params", value, "a parameter's value");
        try {
            cfg::Parser().assign(key, value);
        } catch (const cfg::ParserError& error) {
            throw bad_value(
                "extra_params", fmt::format("{}={}", key, value),
                fmt::format("it is no assignment of the Cartesian language: {}", error.report().message));
        }
    }
}

void check_qemu(const Selection& selection) {
    check_one_of("qemu.accel", selection.accel, {"kvm", "tcg"});
    check_one_of("qemu.monitor", selection.monitor, {"", "qmp", "human"});
    check_one_of("qemu.vhost", selection.vhost, {"off", "on", "force"});
    check_one_of("qemu.sandbox", selection.sandbox, {"on", "off"});
    check_one_of("qemu.defconfig", selection.defconfig, {"yes", "no"});
    check_one_of("qemu.malloc_perturb", selection.malloc_perturb, {"yes", "no"});
    check_one_of("qemu.disk_bus", selection.disk_bus,
                 {"virtio_blk", "ide", "scsi", "virtio_scsi", "lsi_scsi", "ahci", "usb2", "xenblk"});
    if (selection.smp.find_first_not_of("0123456789") != std::string::npos || selection.smp.size() > 4 ||
        selection.smp.find_first_not_of('0') == std::string::npos) {
        throw bad_value("qemu.smp", selection.smp, "expected the number of processors");
    }
    if (selection.vhost != "off" && (selection.nettype == "user" || selection.nettype == "none")) {
        throw bad_value("qemu.vhost", selection.vhost,
                        fmt::format("it needs a bridge, but vt.common.nettype is '{}'", selection.nettype));
    }
    for (auto [name, text] : {std::pair("qemu.image_type", &selection.image_type),
                              std::pair("qemu.nic_model", &selection.nic_model)}) {
        check_one_line(name, *text, "a value");
        if (trim(*text).empty()) {
            throw bad_value(name, *text, "expected a name that QEMU knows");
        }
    }
    check_file("qemu.qemu_bin", selection.qemu_bin);
    check_file("qemu.qemu_dst_bin", selection.qemu_dst_bin);
}

void check_libvirt(const Selection& selection) {
    if (selection.type != "libvirt" || selection.connect_uri.empty()) {
        return;
    }
    for (const char* driver : {"qemu", "lxc", "xen"}) {
        if (selection.connect_uri.find(driver) != std::string::npos) {
            return;
        }
    }
    throw bad_value("libvirt.connect_uri", selection.connect_uri, "its driver should be qemu, lxc or xen");
}

}  // namespace

SelectionError bad_value(std::string_view name, std::string_view value, std::string_view wanted) {
    return SelectionError(fmt::format("{}: '{}' is not possible; {}", spelled(name), value, wanted));
}

void validate(const Selection& selection) {
    check_one_of("type", selection.type, providers::known_types());
    check_one_of("common.nettype", selection.nettype, {"", "bridge", "user", "none"});
    check_one_line("common.netdst", selection.netdst, "a value");
    if (selection.mem.find_first_not_of("0123456789") != std::string::npos) {
        throw bad_value("common.mem", selection.mem, "expected a number of MiB");
    }
    check_file("config", selection.config.string());
    check_filters(selection);
    check_extra_params(selection);
    check_qemu(selection);
    check_libvirt(selection);
}

}  // namespace vt::resolver
