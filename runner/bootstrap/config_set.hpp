// SPDX-License-Identifier: GPL-2.0-or-later
/// \file config_set.hpp
/// The config set of a data directory: files that are copied into backends/TYPE/cfg, and those that are
/// generated there.
///
/// A copied file belongs to the user as soon as it is edited. To know one, the digest of each file as it was
/// installed is noted: a file that still has it is replaced when the program brings a newer text, any other
/// file is kept and named. Generated files (subtests.cfg, guest-os.cfg, host.cfg) are always made anew, but
/// only written if they changed, so that compiled configs stay valid.
#pragma once

#include "providers/provider.hpp"
#include "resolver/data_dir.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// A file to install and its text.
struct ConfigFile {
    std::filesystem::path target;  ///< absolute
    std::string content;
};

/// A file that differs from the program's text and was left as it is.
struct KeptFile {
    std::filesystem::path path;
    std::string content;     ///< the program's text
    bool installed = false;  ///< the program installed it once; else it came from elsewhere
};

/// What happened to the files.
struct ConfigSetReport {
    std::vector<std::filesystem::path> written;
    std::vector<KeptFile> kept;
};

/// Installs files that users may edit, and notes their digests. A link that leads to other content counts as
/// edited. \param replace_edited overwrite edited files too. Throws SystemError.
ConfigSetReport install_config_files(const std::vector<ConfigFile>& files, bool replace_edited,
                                     const resolver::DataDir& dir, resolver::DataDirNotes& notes);

/// The lines by which \p file differs from the program's text, as `diff -u` shows them, at most \p limit of
/// them; empty if there is no such program.
std::vector<std::string> difference(const KeptFile& file, std::size_t limit);

/// Removes what a killed run left of files that it was writing, from \p dir.
void remove_half_written(const std::filesystem::path& dir);

/// The files of \p type: the type's own, the shared ones (but for lvsb) that it does not have itself, and
/// those that providers bring along. Also the own files of all other types, as upstream copies them, and the
/// definitions of what can be downloaded. A shared file that was imported takes the place of the shipped one.
/// \param share this installation's cfg directory
std::vector<ConfigFile> config_files(const std::filesystem::path& share, const std::string& type,
                                     const resolver::DataDir& dir,
                                     const std::vector<providers::Provider>& providers);

/// Writes \p content unless it is there already; true if it was written. Throws SystemError.
bool write_if_changed(const std::filesystem::path& path, const std::string& content);

}  // namespace vt::bootstrap
