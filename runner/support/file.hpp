// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Small things that every layer does with files: read whole, write atomically, make private directories.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace vt {

/// The content of \p path. Throws SystemError if it cannot be read, Error if it has more than \p limit bytes.
std::string read_file(const std::filesystem::path& path, std::size_t limit = std::size_t{256} << 20);

/// The text of \p path's last \p bytes bytes, from the beginning of a line where there is one; empty if
/// unreadable.
std::string read_tail(const std::filesystem::path& path, std::size_t bytes);

/// Writes \p content to a temporary file beside \p path and renames it over it, so that a reader sees the old
/// or the new text and never a part. \p mode as chmod. Throws SystemError.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, int mode = 0644);

/// Makes \p path and its missing parents; directories it makes have mode 0700. Throws SystemError.
void make_private_directory(const std::filesystem::path& path);

/// Writes all of \p data to \p fd, however many calls it takes. Throws SystemError.
void write_all(int fd, std::string_view data);

/// A directory of mode 0700 with a name of its own below \p parent, removed with its content on destruction.
class TempDirectory {
  public:
    /// \param parent must exist; the system's temporary directory if empty
    /// \param prefix of the name, for people who find it
    explicit TempDirectory(const std::string& prefix, std::filesystem::path parent = {});
    TempDirectory(TempDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TempDirectory& operator=(TempDirectory&&) = delete;
    ~TempDirectory();

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

}  // namespace vt
