// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A script's output against the expected one, as `check` compares: white space at the end of a line does not
/// count, and a difference is shown as a unified diff.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace vt::block {

/// The differences between two texts as a unified diff with three lines around each change; empty if there
/// are none. Texts of very many different lines are shown as replaced whole from the first difference on.
std::string unified_diff(std::string_view expected, std::string_view found, const std::string& expected_name,
                         const std::string& found_name);

/// The file with the expected output of \p script: NAME.out.nocache (for cache mode none), NAME.out.FORMAT,
/// NAME.MACHINE.out, NAME.out; the first that is there, else the last name.
std::filesystem::path expected_output(const std::filesystem::path& script, const std::string& format,
                                      const std::string& cache_mode, const std::string& machine);

}  // namespace vt::block
