// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Copies of images: sparse, shared where the file system can, and never half there.
#pragma once

#include <filesystem>

namespace vt {

/// Copies \p source over \p target. A regular target is written as TARGET.part and renamed, so it is the old
/// file or the new one; a device node is written in place. Holes stay holes; blocks are shared where the file
/// system can do that. Throws ImageError (no space, no permission); what was begun is removed.
void copy_file_safely(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace vt
