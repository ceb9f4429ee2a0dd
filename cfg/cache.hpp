// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cache.hpp
/// Keeps compiled programs on disk, so that a process which needs one dictionary of a large suite does not
/// parse 47,000 lines for it.
///
/// An entry is named after a digest of the inputs, the options and what relative paths depend on. It records
/// every file that was read (device, inode, size, times, digest of the content) and is used only if all of
/// them are unchanged; a file touched so recently that its time stamp cannot tell is compared by content.
/// Entries are written to a temporary name and renamed: parallel writers do not meet. Whatever is wrong with
/// an entry, it is ignored with a line in the log.
#pragma once

#include "cfg/parser.hpp"
#include "cfg/program.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace vt::cfg {

/// Reads the inputs through the cache in `directory` (made with mode 0700 if it is missing; refused, with a
/// log line, if it is someone else's or open to others). Without a directory it is `parse()`. Throws as
/// `parse()` does; errors are never cached.
Program load(const std::vector<Input>& inputs, const Options& options = {},
             const std::optional<std::filesystem::path>& directory = std::nullopt);

}  // namespace vt::cfg
