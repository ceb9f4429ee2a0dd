// SPDX-License-Identifier: GPL-2.0-or-later
/// \file import_config.hpp
/// Takes guests out of an Avocado-VT: its package as it is installed, a checkout of it, or its wheel.
///
/// What is taken: the tree of guest definitions (a user's own in LinuxCustom and WindowsCustom too), the
/// files that say something about single guests (cdkeys.cfg, virtio-win.cfg), and the definitions of
/// downloads. The rest of the set stays the shipped one, whose names and values are upstream's. It is kept in
/// the data directory's `imported/`, so that later bootstraps need the source no more.
#pragma once

#include <filesystem>
#include <string>

namespace vt::bootstrap {

/// Where \p data_dir keeps what was imported: guest-os/, cfg/, downloads/. Need not exist.
std::filesystem::path imported_dir(const std::filesystem::path& data_dir);

/// Puts right what an import that was killed left in \p data_dir: what was there before, or the new, is there
/// whole.
void finish_import(const std::filesystem::path& data_dir);

/// What came in.
struct ImportReport {
    std::string source;      ///< the directory or file it was found in
    std::size_t guests = 0;  ///< files that define guests
    std::size_t assets = 0;  ///< definitions of downloads
};

/// Imports from \p source: a wheel, or a directory that is or contains (also as a virtual environment does)
/// the package virttest. What was imported before is replaced as a whole, or stays if this throws. Throws
/// BootstrapError if \p source is none of these, GuestImageError for a damaged wheel, SystemError.
ImportReport import_config(const std::filesystem::path& source, const std::filesystem::path& data_dir);

}  // namespace vt::bootstrap
