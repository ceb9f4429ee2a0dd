// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What becomes of one stream of a process's output: bytes, lines, a file, the last lines for reasons.
///
/// It only takes what others read, so that a poll loop and the IoLoop share it.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vt::process {

/// What is done with one stream of output, besides keeping its last lines.
struct OutputTo {
    std::filesystem::path file;  ///< written there as it comes; made with mode 0600; empty: nowhere
    bool append = false;         ///< the file is continued rather than emptied
    /// Gets the bytes as they come.
    std::function<void(std::string_view bytes)> on_bytes;
    /// Gets each line without its newline; the last one at the process's end also if it lacks it.
    std::function<void(std::string_view line)> on_line;
    std::size_t kept_lines = 50;  ///< how many last lines are kept for reasons
};

/// Takes one stream's bytes in order, from one thread at a time; last_lines() may be called from any.
class OutputSink {
  public:
    /// Opens the file. \p name is the process's, for messages. Throws SystemError.
    OutputSink(std::string name, OutputTo to);
    OutputSink(const OutputSink&) = delete;
    OutputSink& operator=(const OutputSink&) = delete;

    /// One more receiver of lines, called after OutputTo::on_line; must not throw.
    void also(std::function<void(std::string_view line)> on_line) { also_ = std::move(on_line); }

    /// Takes bytes. Exceptions of handlers are logged and go no further; a file that cannot be written (disk
    /// full) is given up with a warning, the rest goes on.
    void take(std::string_view bytes);
    /// An unfinished line is one. What comes later begins another.
    void finish_line();
    /// The last lines, oldest first; the unfinished one is the last.
    std::vector<std::string> last_lines() const;

  private:
    void line(std::string_view text);
    void write_file(std::string_view bytes);

    const std::string name_;
    const OutputTo to_;
    std::function<void(std::string_view)> also_;
    UniqueFd file_;
    mutable std::mutex mutex_;
    std::string partial_;
    std::deque<std::string> last_;
};

}  // namespace vt::process
