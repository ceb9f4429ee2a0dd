// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A test that passed although its results could not be written: it says so.
///
/// Most files of a test's results are Avocado's to write (debug.log, stdout, whiteboard) or a program's
/// (QEMU's output), and nobody tells the runner when they cannot. So at the end it tries for itself.
#pragma once

#include "runner/nrunner/result.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace vt::nrunner {

/// Why no file can be written in \p output_dir ("No space left on device"); nothing if one can.
std::optional<std::string> disk_trouble(const std::filesystem::path& output_dir);

/// \p result, with a warning in its reason if files cannot be written in \p output_dir; a test that passed is
/// one that warns then.
TestResult with_disk_trouble(TestResult result, const std::filesystem::path& output_dir);

}  // namespace vt::nrunner
