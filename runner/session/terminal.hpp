// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A terminal's two directions, whatever carries them: SSH channel, serial console.
///
/// Output is read in the background by the IoLoop into an OutputBuffer, whether anybody waits for it or not,
/// so that logs are complete, a chatty guest is never blocked by an idle test, and loss is noticed at once.
/// Who waits, waits on the buffer's condition. Queries that a shell sends to its terminal (cursor position,
/// as busybox ash does after each prompt) and mode switches are no output and are dropped on the way in;
/// colours and the like pass.
#pragma once

#include "runner/support/deadline.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vt {

/// Drops terminal queries and mode switches from a stream, across chunks. CR LF becomes LF.
class TerminalFilter {
  public:
    /// What is output of \p chunk; an unfinished sequence or CR at its end is held back until the next call.
    std::string feed(std::string_view chunk);
    /// What was held back.
    std::string flush();

  private:
    std::string held_;
};

/// The length of the escape sequence at the beginning of \p text, which begins with ESC; an unfinished one is
/// as long as the text.
std::size_t control_sequence_length(std::string_view text);

/// \p text without any terminal control sequence (for matching; output itself keeps them).
std::string strip_control_sequences(std::string_view text);

/// Receives each line of output (without line end) on the IoLoop's thread; must not throw.
using LineHandler = std::function<void(std::string_view line)>;

/// What a terminal printed and nobody has taken yet. Thread-safe.
class OutputBuffer {
  public:
    /// \param limit bytes kept at most; older output is dropped, which is logged once
    explicit OutputBuffer(std::size_t limit = std::size_t{64} << 20);

    /// Sets who sees each line; a partial last line is passed when the stream ends.
    void set_line_handler(LineHandler handler);
    /// Adds raw bytes (reader's side).
    void append(std::string_view chunk);
    /// Marks the end of the stream (reader's side or close()); the first call counts.
    /// \param why for messages: "closed by the test", "connection lost: …"
    void finish(std::optional<int> status, const std::string& why);

    /// The untaken output, which then counts as taken.
    std::string take();
    /// Waits until there is untaken output, the stream has ended or \p deadline passed; true if there is
    /// output.
    bool wait(const Deadline& deadline);
    bool finished() const;
    std::optional<int> exit_status() const;
    /// Why the stream ended, empty before.
    std::string end_reason() const;

  private:
    void pass_lines(std::string_view text);

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    TerminalFilter filter_;
    std::string data_;
    std::size_t limit_;
    bool dropped_ = false;
    bool finished_ = false;
    std::optional<int> status_;
    std::string why_;

    std::mutex
        line_mutex_;  ///< never held together with mutex_ by a waiter, so a slow handler blocks no reader
    LineHandler handler_;
    std::string line_;
};

/// One end of a terminal.
class Terminal {
  public:
    virtual ~Terminal() = default;

    /// Sends all of \p bytes. Throws TimeoutError, Error if the connection is gone.
    virtual void write(std::string_view bytes, const Deadline& deadline) = 0;
    /// Ends the connection; from any thread, whoever waits is woken. Idempotent.
    virtual void close() = 0;
    /// The output side; lives as long as the terminal.
    virtual OutputBuffer& output() = 0;
};

}  // namespace vt
