// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The local side of a copy: files as plain descriptors, with errors that name them.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace vt {

/// A local file that is read or written from beginning to end.
class LocalFile {
  public:
    /// Opens \p path for reading. Throws TransferFailedError.
    static LocalFile open(const std::filesystem::path& path);
    /// Makes or empties \p path with permission bits \p mode. Throws TransferFailedError.
    static LocalFile create(const std::filesystem::path& path, int mode);

    /// Reads at most \p size bytes into \p buffer; returns how many, 0 at the end.
    std::size_t read(char* buffer, std::size_t size);
    void write(std::string_view bytes);
    std::uint64_t size() const { return size_; }
    /// Permission bits.
    int mode() const { return mode_; }

  private:
    LocalFile(std::filesystem::path path, UniqueFd fd);

    std::filesystem::path path_;
    UniqueFd fd_;
    std::uint64_t size_ = 0;
    int mode_ = 0;
};

/// Makes the directory \p path unless it is one. Throws TransferFailedError.
void make_local_directory(const std::filesystem::path& path, int mode);

}  // namespace vt
