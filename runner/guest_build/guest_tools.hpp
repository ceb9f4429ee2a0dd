// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The host's programs that the guest builder runs, and which packages they come in.
#pragma once

#include "runner/process/process.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// A program and the packages that bring it.
struct HostTool {
    std::string_view program;
    std::string_view debian;
    std::string_view fedora;
};

/// All that the builder runs or reads.
const std::vector<HostTool>& guest_host_tools();

/// Full path of \p program, one of the above; also looked for in /usr/sbin and /sbin, which are not on every
/// user's PATH. Throws GuestImageError naming the packages.
std::string find_tool(std::string_view program);

/// The boot code that goes into a disk's first sector. Throws GuestImageError naming the packages.
std::filesystem::path find_mbr_code();

/// Looks for everything; throws GuestImageError listing all that is missing, so that one installation mends
/// it.
void check_host_tools();

/// Runs \p argv, whose first word is a host tool, in \p working_dir. Throws process::CommandError,
/// TimeoutError.
void run_tool(std::vector<std::string> argv, const std::filesystem::path& working_dir,
              const Deadline& deadline);

}  // namespace vt::bootstrap
