// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What only a start can know: ports, sockets, the accelerator. Together with the description of a machine it
/// makes the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace vt::qemu {

/// Decided when a machine starts, and kept with it.
struct Placement {
    std::filesystem::path instance_dir;  ///< sockets and logs lie here
    bool kvm = false;
    std::map<std::string, std::string> macs;  ///< NIC → address
    std::map<std::string, std::map<std::string, std::uint16_t>>
        forwarded;  ///< NIC → redirection → port of the host
    std::map<std::string, std::string>
        taps;  ///< NIC → tap device; a bridge NIC without one has user networking
    std::map<std::string, std::vector<int>> tap_fds;        ///< NIC → its queues' descriptors in QEMU
    std::map<std::string, std::filesystem::path> overlays;  ///< drive → qcow2 overlay that takes the writes
    std::filesystem::path firmware_code, firmware_vars;     ///< of UEFI firmware
    std::map<std::string, std::filesystem::path> tpm_state;  ///< TPM → directory of what it remembers
    std::map<std::string, std::uint32_t> vsock_cids;         ///< vsock → the guest's address
    std::string uuid;                                        ///< where the parameters say "random"
};

/// Sockets and the firmware's log in \p instance_dir.
std::filesystem::path monitor_socket(const std::filesystem::path& instance_dir, const std::string& monitor);
std::filesystem::path serial_socket(const std::filesystem::path& instance_dir, const std::string& serial);
std::filesystem::path firmware_log(const std::filesystem::path& instance_dir);

}  // namespace vt::qemu
