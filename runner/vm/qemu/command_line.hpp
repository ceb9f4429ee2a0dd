// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From the description of a machine to QEMU's argv.
///
/// Pure, so that two descriptions can be compared by their command lines (check_vm_needs_restart) and tests
/// need no QEMU.
#pragma once

#include "runner/vm/qemu/machine.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::qemu {

/// What only a start can know.
struct Placement {
    std::filesystem::path instance_dir;  ///< sockets lie here
    bool kvm = false;
    std::map<std::string, std::map<std::string, std::uint16_t>>
        forwarded;  ///< NIC → redirection → port of the host
    std::map<std::string, std::filesystem::path>
        drive_files;                        ///< drive → file in place of the one described (overlay)
    std::optional<std::uint16_t> vnc_port;  ///< 5900 and up
};

/// Socket of a monitor and of a serial port in the instance directory.
std::filesystem::path monitor_socket(const Placement& placement, const std::string& monitor);
std::filesystem::path serial_socket(const Placement& placement, const std::string& serial);

/// QEMU's argv, argv[0] included.
std::vector<std::string> command_line(const MachineSpec& machine, const Placement& placement);

/// \p value as part of a QEMU option: commas doubled. Throws Error for text with a NUL or newline.
std::string option_value(std::string_view value);

/// The words of a user's extra parameters, quoted as in a shell, but without any expansion. Throws Error for
/// an unfinished quote.
std::vector<std::string> split_arguments(std::string_view text);

}  // namespace vt::qemu
