// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From the description of a machine to QEMU's argv.
///
/// Pure, so that two descriptions can be compared by their command lines (check_vm_needs_restart), tests need
/// no QEMU, and what is logged is what runs.
#pragma once

#include "runner/vm/qemu/machine.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vt::qemu {

/// What only a start can know.
struct Placement {
    std::filesystem::path instance_dir;  ///< sockets and logs lie here
    bool kvm = false;
    std::map<std::string, std::string> macs;  ///< NIC → address
    std::map<std::string, std::map<std::string, std::uint16_t>>
        forwarded;  ///< NIC → redirection → port of the host
    std::map<std::string, std::string>
        taps;  ///< NIC → tap device; a bridge NIC without one has user networking
    std::map<std::string, std::filesystem::path> overlays;  ///< drive → qcow2 overlay that takes the writes
    std::string uuid;                                       ///< where the parameters say "random"
};

/// Sockets and the firmware's log in \p instance_dir.
std::filesystem::path monitor_socket(const std::filesystem::path& instance_dir, const std::string& monitor);
std::filesystem::path serial_socket(const std::filesystem::path& instance_dir, const std::string& serial);
std::filesystem::path firmware_log(const std::filesystem::path& instance_dir);

/// QEMU's argv, argv[0] included.
std::vector<std::string> command_line(const MachineSpec& machine, const Placement& placement);

/// \p value as part of a QEMU option: commas doubled. Throws Error for text with a NUL.
std::string option_value(std::string_view value);

}  // namespace vt::qemu
