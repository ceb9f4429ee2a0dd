// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Screens as files: QEMU's PPM into PNG, for QEMUs that do not write PNG themselves.
#pragma once

#include <filesystem>

namespace vt::qemu {

/// Reads the binary PPM \p source (P6, 8 bits a channel) and writes \p target. Throws Error, SystemError.
void ppm_to_png(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace vt::qemu
