// SPDX-License-Identifier: GPL-2.0-or-later
/// \file generated_cfg.hpp
/// The texts of the generated config files: guest-os.cfg, subtests.cfg, host.cfg. The shapes are upstream's.
#pragma once

#include "providers/provider.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// Trees of guest definitions. A folder X is a variant whose definition is X.cfg beside it, or an empty one;
/// each other file is a variant in it.
struct GuestTrees {
    std::filesystem::path shipped;
    std::vector<std::filesystem::path>
        drop_ins;                    ///< lie over it: of two files of one relative path, the last
    std::filesystem::path imported;  ///< an Avocado-VT's: fills in what the others do not define
};

/// guest-os.cfg from \p trees, everything in the order of its name. A file that is not shipped and is no
/// definition is left out with a line in the log.
std::string guest_os_text(const GuestTrees& trees);

/// subtests.cfg from all providers' test configs for one type. A config file of the built-in provider is left
/// out where another provider supplies a test of a type that it names.
std::string subtests_text(const std::string& type, const std::vector<providers::Provider>& providers);

/// What host.cfg says about this host.
struct HostDescription {
    std::string distro;       ///< `Host_debian`, `Fedora`, `RHEL`
    std::string version;      ///< `m9`, `mNone`
    std::string release;      ///< `u3`
    std::string arch;         ///< `Host_arch_x86_64`
    std::string cpu_vendor;   ///< may be empty
    std::string cpu_family;   ///< may be empty
    std::string cpu_version;  ///< may be empty
};

/// This host, from the texts of /etc/os-release, /etc/debian_version and /proc/cpuinfo and the name of the
/// PMU.
HostDescription describe_host(std::string_view os_release, std::string_view debian_version,
                              std::string_view cpuinfo, std::string_view pmu_name, std::string_view machine);

/// This host, from its files.
HostDescription describe_this_host();

std::string host_text(const HostDescription& host);

}  // namespace vt::bootstrap
