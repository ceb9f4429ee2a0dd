// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Messages as Avocado reads them: a JSON object a line for status servers, a Python dictionary a line for
/// people.
///
/// Avocado orders messages by (time, id, status) and hangs on those that lack what it expects, so messages
/// are made in one place, which numbers them with a strictly increasing CLOCK_MONOTONIC and knows what each
/// must have. The limit of a line is 32 MiB; texts are cut into parts far below it. What people read (logs,
/// output, reasons) is made printable here, whoever wrote it; whiteboard and files are data and stay.
///
/// What is ugly: the second form, Python's repr, is what Avocado's own runners print on standard output.
#pragma once

#include "runner/nrunner/result.hpp"
#include "runner/support/log.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vt::nrunner {

/// Bytes, as opposed to text.
struct Bytes {
    std::string data;
    bool operator==(const Bytes&) const = default;
};

/// One message: fields in order.
class Message {
  public:
    using Value = std::variant<std::string, Bytes, std::int64_t, double>;

    void add(std::string name, Value value) { fields_.emplace_back(std::move(name), std::move(value)); }
    /// One line, without its newline: ASCII only, text that is no UTF-8 repaired.
    std::string json() const;
    /// As Python prints the dictionary.
    std::string python() const;

    bool operator==(const Message&) const = default;

  private:
    std::vector<std::pair<std::string, Value>> fields_;
};

/// Makes the messages of one task.
class MessageMaker {
  public:
    /// \param id, job_id as given on the command line; empty: left out
    MessageMaker(std::string id, std::string job_id) : id_(std::move(id)), job_id_(std::move(job_id)) {}

    Message started(const std::string& output_dir);
    /// \param lines formatted, with newlines between them
    Message log(log::Level level, std::string_view logger, std::string_view lines);
    /// \param bytes whole lines, of which control characters are escaped
    Message stream(std::string_view name, std::string_view bytes);
    Message whiteboard(std::string_view text);
    Message file(std::string_view path, std::string_view bytes);
    Message output(std::string_view text);
    Message finished(const TestResult& result);

  private:
    Message running(const char* type);
    Message complete(Message message, const char* status);

    std::string id_;
    std::string job_id_;
    std::int64_t last_time_ = 0;  ///< microseconds
};

/// A line as upstream's tests have it in debug.log: date, time, logger, level, text. Valid UTF-8.
std::string format_log_line(log::Level level, std::string_view logger, std::string_view line);

/// Parts of at most \p limit bytes; UTF-8 characters stay whole where \p text is UTF-8.
std::vector<std::string_view> cut(std::string_view text, std::size_t limit);

/// Text as one line: line ends become blanks, control characters are escaped, at most \p limit bytes.
std::string one_line(std::string_view text, std::size_t limit);

}  // namespace vt::nrunner
