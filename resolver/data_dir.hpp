// SPDX-License-Identifier: GPL-2.0-or-later
/// \file data_dir.hpp
/// The data directory as Avocado-VT lays it out, and what this program notes down in it.
///
/// The notes are one JSON file, `avocado-runner-vt.json`: the default guest, the digest of each config file
/// as it was installed, by which an edited one is known, and the checksums of downloads. Upstream does not
/// mind the file; a directory without it, such as one that upstream made, has no notes.
#pragma once

#include "runner/support/strings.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace vt::resolver {

/// The guest of a data directory that names none: upstream's default.
inline constexpr std::string_view upstream_guest = "JeOS.27";

/// Where things lie below the data directory.
struct DataDir {
    std::filesystem::path path;

    std::filesystem::path backend_cfg(std::string_view type) const {
        return path / "backends" / type / "cfg";
    }
    std::filesystem::path images() const { return path / "images"; }
    std::filesystem::path notes_file() const { return path / "avocado-runner-vt.json"; }
    /// True if tests of \p type can be resolved: its subtests.cfg is there.
    bool bootstrapped(std::string_view type) const;
};

/// What is noted down.
struct DataDirNotes {
    std::string default_guest;  ///< an only-filter; empty: none noted
    std::map<std::string, std::string>
        installed;  ///< file below the data directory → digest of its content as installed
    std::map<std::string, std::string>
        assets;  ///< name of a download → checksum of the archive that its image came from

    /// The notes of \p dir; empty ones if there are none or they cannot be read (which is logged).
    static DataDirNotes load(const DataDir& dir);
    /// Throws SystemError.
    void save(const DataDir& dir) const;
};

/// Avocado's data directory for the calling user, as Avocado finds it without settings, plus `avocado-vt`; or
/// \p override_dir, made absolute, if it is not empty.
std::filesystem::path default_data_dir(const std::filesystem::path& override_dir = {});

/// Notices a config file that was edited.
using vt::content_digest;

}  // namespace vt::resolver
