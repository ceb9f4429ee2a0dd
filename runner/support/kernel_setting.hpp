// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Files by which the kernel is told something (/sys, /proc/sys): one value a file, written at once.
///
/// A file that lists all choices marks the one that holds: "always [madvise] never". What is read is the
/// choice, since that is what can be written back.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace vt::kernel_setting {

/// The value of \p file without blanks around it; of a list of choices the one that holds. Throws Error.
std::string read(const std::filesystem::path& file);

/// Throws SystemError with the kernel's answer.
void write(const std::filesystem::path& file, std::string_view value);

}  // namespace vt::kernel_setting
