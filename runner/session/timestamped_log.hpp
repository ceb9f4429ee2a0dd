// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The log files that people read beside a test's log: sessions, consoles, monitor traffic.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

namespace vt {

/// A line-wise log file whose lines begin with "YYYY-mm-dd HH:MM:SS: ", as Avocado-VT's session and serial
/// logs. The file is bounded (log_bound.hpp), and of a line that comes over and over again it has the number.
/// Lines of a file that cannot be written are dropped after one warning: a full disk must not end a
/// test.
class TimestampedLog {
  public:
    explicit TimestampedLog(std::filesystem::path path);
    ~TimestampedLog();
    TimestampedLog(TimestampedLog&&) noexcept;
    TimestampedLog& operator=(TimestampedLog&&) noexcept;

    /// Appends \p line, its control characters escaped; thread-safe.
    void write(std::string_view line);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt
