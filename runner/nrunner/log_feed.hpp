// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a test says, on its way to Avocado: in batches, in bounds, and its last words remembered.
///
/// Lines that come together go together, as Avocado takes messages one at a time, and slowly. Each of the
/// three logs (log, standard output, standard error) is bounded: its first part goes at once, its last part
/// is kept back and goes at the end, with a line between them that says how much is missing. A line of the
/// log that comes again and again is counted instead of passed on.
#pragma once

#include "runner/nrunner/body_channel.hpp"
#include "runner/nrunner/line_splitter.hpp"
#include "runner/nrunner/message.hpp"
#include "runner/support/bounded_text.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/repeated_lines.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace vt::nrunner {

/// The two streams of a body.
enum class Stream { output, error };

/// Feeds the messages of one task.
class LogFeed {
  public:
    using Post = std::function<void(const Message&)>;

    /// \p messages must outlive the feed. \param limit of each log, in bytes
    LogFeed(MessageMaker& messages, Post post, std::size_t limit);

    void take(const LogLine& line);
    /// What was read from a stream.
    void take(Stream stream, std::string_view bytes);
    /// Passes on what waits of the log, so that what is posted next comes behind it.
    void flush();
    /// The end of a stream: passes on a line that has no end.
    void end(Stream stream);
    /// Passes on what was kept back. \p hurried: only the little that Avocado takes at once.
    void finish(bool hurried);

    /// When flush() is due.
    const Deadline& due() const { return due_; }
    /// The last lines, for the reason of a test that could not give one.
    std::string last_words() const;

  private:
    struct Kept {
        BoundedText bounds;
        LineSplitter lines;
    };

    void add(const LogLine& line);
    void pass(Stream stream, const std::string& lines);
    Kept& kept(Stream stream) { return stream == Stream::output ? output_ : error_; }

    MessageMaker& messages_;
    Post post_;
    BoundedText log_bounds_;
    Kept output_;
    Kept error_;
    RepeatedLines repeated_;
    std::optional<LogLine> last_;   ///< the latest line of the log, for the words about its repetitions
    std::optional<LogLine> batch_;  ///< formatted, not yet posted
    Deadline due_ = Deadline::never();
    std::deque<std::string> last_lines_;   ///< of the log and standard output
    std::deque<std::string> last_errors_;  ///< of standard error
};

}  // namespace vt::nrunner
