// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/host_change.hpp"

#include "runner/env/test_status.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace vt {

namespace {

/// A parameter's name, also with the suffix of a VM, NIC or image.
bool is(std::string_view key, std::string_view name) {
    return key.starts_with(name) && (key.size() == name.size() || key[name.size()] == '_');
}

bool changes(std::string_view key, std::string_view value) {
    static constexpr std::array switches{"setup_hugepages", "hugepage",    "setup_thp",
                                         "setup_ksm",       "setup_egd",   "setup_libvirt_polkit",
                                         "power9_compat",   "restore_smt", "migration_setup"};
    static constexpr std::array storage{"iscsi", "lvm", "nfs"};
    if (value == "yes") {
        return std::find(switches.begin(), switches.end(), key) != switches.end() ||
               key.ends_with("module_force_load");
    }
    if (is(key, "netdst")) {
        return value == "private";
    }
    if (is(key, "storage_type")) {
        return std::find(storage.begin(), storage.end(), value) != storage.end();
    }
    return !value.empty() && value != "no" &&
           (key.starts_with("firewalld_") || key.ends_with("module_parameters"));
}

}  // namespace

std::optional<std::string> host_change(const Params& params) {
    const auto lock = params.get("host_lock");
    if (lock == "exclusive") {
        return "host_lock = exclusive";
    }
    if (lock == "shared") {
        return std::nullopt;
    }
    if (!lock.empty()) {
        throw TestError(
            fmt::format("the parameter 'host_lock = {}' should be exclusive or shared, or not be set", lock));
    }
    std::optional<std::string> found;
    params.for_each([&](std::string_view key, std::string_view value) {
        if (!found && changes(key, value)) {
            found = fmt::format("{} = {}", key, value);
        }
    });
    return found;
}

}  // namespace vt
