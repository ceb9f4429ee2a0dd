// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The user's home directory, told as Python and shells tell it.
#pragma once

#include <filesystem>
#include <string>

namespace vt {

/// The variable HOME, else what the system's list of users says; empty if neither does.
std::filesystem::path home_directory();

/// \p path with a leading `~` or `~/` replaced by the home directory, if there is one.
std::filesystem::path expand_home(const std::string& path);

}  // namespace vt
