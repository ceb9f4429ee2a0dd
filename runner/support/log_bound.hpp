// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Log files in bounds: a program in a loop must not fill the disk.
///
/// The first and the last part of a file stay, and a line between them says how much is missing. The middle
/// is cut out where it is, so that the file is whole at any moment, however its writer ends, and so that it
/// may be somebody else's (QEMU's), who only appends. What is appended in the very moment of a cut may be
/// lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace vt {

/// The bound of each log file that this process writes or watches, in bytes; 0: none. Settled once, before
/// threads exist; inherited by fork.
void set_log_limit(std::size_t bytes);
std::size_t log_limit();

/// Keeps one file below a limit.
class LogBound {
  public:
    explicit LogBound(std::filesystem::path path, std::size_t limit = log_limit())
        : path_(std::move(path)), limit_(limit) {}

    /// \p bytes have been appended: cuts if it is time to. Throws SystemError.
    void grown(std::size_t bytes);
    /// Looks how large the file is, and cuts if it is time to. Throws SystemError.
    void check();

  private:
    void cut(int fd, std::uint64_t size);

    std::filesystem::path path_;
    std::size_t limit_;
    std::uint64_t size_ = 0;     ///< as last seen, and grown since
    std::uint64_t head_ = 0;     ///< where the first part ends, once something was cut
    std::uint64_t gap_ = 0;      ///< length of the line behind it
    std::uint64_t missing_ = 0;  ///< bytes cut so far
};

}  // namespace vt
