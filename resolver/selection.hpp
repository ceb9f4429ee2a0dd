// SPDX-License-Identifier: GPL-2.0-or-later
/// \file selection.hpp
/// What a user selected with options and settings, and the statements that this adds to a test set.
///
/// A runnable carries the test's full name and a Selection; from both, `expand()` makes the test's parameters
/// again, on whatever host the task runs. So a Selection holds what was asked for, never what was found on a
/// host: the names of programs and bridges are filled in when statements are made.
///
/// As JSON it has only the members that differ from the defaults.
#pragma once

#include "cfg/params.hpp"
#include "cfg/parser.hpp"
#include "runner/support/error.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::resolver {

/// An option or a setting has a value that cannot be; what() names it and the allowed ones.
class SelectionError : public Error {
  public:
    using Error::Error;
};

/// The filters that tests.cfg applies and `vt.filter.default_filters` can leave out.
inline constexpr std::array<std::string_view, 8> default_filter_names = {
    "no_9p_export", "no_virtio_rng", "no_pci_assignable", "smallpages",
    "default_bios", "bridge",        "image_backend",     "multihost"};

/// The data directory has no test set for the type; what() says how to make one.
class NotBootstrappedError : public SelectionError {
  public:
    using SelectionError::SelectionError;
};

/// The options and `vt.*` settings that shape a test set; names and defaults are Avocado-VT's.
struct Selection {
    std::string type = "qemu";  ///< vt.type
    std::filesystem::path
        data_dir;                  ///< absolute: Avocado's data directory + avocado-vt, or vt.common.data_dir
    std::string guest_os;          ///< vt.guest_os; empty: the data directory's default guest
    std::filesystem::path config;  ///< vt.config, absolute; empty: backends/TYPE/cfg/tests.cfg
    std::string config_digest;     ///< of that file when the test was found; empty: not checked
    bool short_names_when_config = false;                           ///< vt.short_names_when_config
    std::string only_filter;                                        ///< vt.only_filter
    std::string no_filter;                                          ///< vt.no_filter
    std::vector<std::string> default_filters;                       ///< vt.filter.default_filters
    std::vector<std::pair<std::string, std::string>> extra_params;  ///< vt.extra_params, in order

    std::string arch;                 ///< vt.common.arch
    std::string machine_type;         ///< vt.common.machine_type; empty: the host's usual one
    std::string nettype;              ///< vt.common.nettype; empty: decided when the test runs
    std::string netdst = "virbr0";    ///< vt.common.netdst
    std::string mem;                  ///< vt.common.mem
    bool type_specific_only = false;  ///< vt.common.type_specific_only

    bool backup_image_before_test = true;  ///< vt.setup.backup_image_before_test
    bool restore_image_after_test = true;  ///< vt.setup.restore_image_after_test
    bool keep_guest_running = false;       ///< vt.setup.keep_guest_running

    std::string qemu_bin;                  ///< vt.qemu.qemu_bin; empty: the one found
    std::string qemu_dst_bin;              ///< vt.qemu.qemu_dst_bin
    std::string accel = "kvm";             ///< vt.qemu.accel
    std::string monitor;                   ///< vt.qemu.monitor
    std::string smp = "2";                 ///< vt.qemu.smp
    std::string image_type = "qcow2";      ///< vt.qemu.image_type
    std::string nic_model = "virtio_net";  ///< vt.qemu.nic_model
    std::string disk_bus = "virtio_blk";   ///< vt.qemu.disk_bus
    std::string vhost = "off";             ///< vt.qemu.vhost
    std::string malloc_perturb = "yes";    ///< vt.qemu.malloc_perturb
    std::string sandbox = "on";            ///< vt.qemu.sandbox
    std::string defconfig = "yes";         ///< vt.qemu.defconfig
    std::string connect_uri;               ///< vt.libvirt.connect_uri

    bool operator==(const Selection&) const = default;
};

/// From the flat dictionary of settings (`{"vt.type": "qemu", …}`; keys that are not ours are passed over,
/// null is the default). \param data_dir used where `vt.common.data_dir` is empty. Throws SelectionError.
Selection selection_from_settings(const nlohmann::json& settings, const std::filesystem::path& data_dir);

/// The members that differ from the defaults.
nlohmann::json to_json(const Selection& selection);

/// Reads what `to_json()` wrote. Throws SelectionError on anything else.
Selection selection_from_json(const nlohmann::json& json);

/// Checks what can be checked without reading a config: type, values of enumerations, filters, files that
/// must exist. Throws SelectionError.
void validate(const Selection& selection);

/// What the parser gets: the file and the statements after it, in upstream's order, without a reference.
/// Looks at the host for programs and the bridge. Throws SelectionError.
std::vector<cfg::Input> inputs(const Selection& selection);

/// True if machine type, architecture or guest are not what they are by themselves.
bool chooses_guest(const Selection& selection);

/// The machine type in force: the option's, else the usual one of this host's architecture; empty where that
/// has none.
std::string effective_machine_type(const Selection& selection);

/// The guest filter in force: the option's, else the data directory's default, else `JeOS.27`.
std::string effective_guest_os(const Selection& selection);

}  // namespace vt::resolver
