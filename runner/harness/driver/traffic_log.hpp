// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What went over a driver's connections: a line a record, with the time in microseconds, bytes and text.
///
///     2026-01-31 12:00:00.123456 server[0] <- 5 bytes: 48 65 6c 6c 6f "Hello"
#pragma once

#include "runner/support/unique_fd.hpp"

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace vt::driver {

/// Written through a buffer, so that a record costs a fraction of a microsecond. Safe from several threads;
/// never throws: a log that cannot be written is said once and then left.
class TrafficLog {
  public:
    /// Records go to \p file, made with the first of them (mode 0600). Empty: nowhere.
    explicit TrafficLog(std::filesystem::path file = {});
    ~TrafficLog();
    TrafficLog(const TrafficLog&) = delete;
    TrafficLog& operator=(const TrafficLog&) = delete;

    bool on() const { return on_; }
    /// \p who says the endpoint ("server[0]"); of long records the first 256 bytes are shown.
    void sent(std::string_view who, std::string_view bytes) { record(who, " -> ", bytes); }
    void received(std::string_view who, std::string_view bytes) { record(who, " <- ", bytes); }
    /// A line without bytes: "connected to 127.0.0.1:80".
    void event(std::string_view who, std::string_view what);
    /// Writes out what is buffered.
    void flush();

  private:
    void record(std::string_view who, std::string_view arrow, std::string_view bytes);
    /// Writes the time; returns the end of it.
    char* stamp(char* into);
    /// Where the next record goes, with so much room.
    char* room(std::size_t size);
    void flush_locked();

    std::filesystem::path file_;
    std::atomic<bool> on_;
    std::mutex mutex_;
    UniqueFd fd_;
    std::string buffer_;  ///< its first used_ bytes are to be written
    std::size_t used_ = 0;
    long second_ = -1;
    std::string second_text_;
};

/// \p bytes as a person reads them: printable ASCII, \n, \r, \t, \\, \" and \xNN, in double quotes.
std::string printable(std::string_view bytes);

}  // namespace vt::driver
