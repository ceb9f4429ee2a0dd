// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the body of a task says to its supervisor, and how.
///
/// A Unix socket of packets, so that threads and forked children of the body may speak at once and a crash in
/// the middle of a sentence leaves no half of one. The supervisor believes nothing: a packet that is not
/// well-formed is reported and dropped. Long texts go in several packets, as every one has to fit the
/// socket's buffer.
///
/// Packet: one byte of kind, then fields, each a length of four bytes (host order) and the bytes.
#pragma once

#include "runner/nrunner/result.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace vt::nrunner {

/// What may be said.
struct LogLine {
    log::Level level = log::Level::info;
    std::string logger;
    std::string line;
    bool operator==(const LogLine&) const = default;
};
struct Whiteboard {
    std::string text;
    bool operator==(const Whiteboard&) const = default;
};
struct FilePart {
    std::string name;  ///< relative to the task's output directory
    std::string bytes;
    bool operator==(const FilePart&) const = default;
};
struct Output {
    std::string text;  ///< for Avocado's terminal
    bool operator==(const Output&) const = default;
};
struct TimeLimit {
    double seconds = 0;  ///< from now; the supervisor ends the body after it
    std::string name;    ///< what set it, for the reason: "test_timeout"
    bool operator==(const TimeLimit&) const = default;
};
struct SpareGuardian {
    std::string job_dir;  ///< its guardian outlives this task
    bool operator==(const SpareGuardian&) const = default;
};
struct ReadyToPause {
    std::string ways_in;  ///< what a person needs to know while the test is paused, a line each
    bool operator==(const ReadyToPause&) const = default;
};
struct Done {
    TestResult result;
    bool operator==(const Done&) const = default;
};
using BodyEvent =
    std::variant<LogLine, Whiteboard, FilePart, Output, TimeLimit, SpareGuardian, ReadyToPause, Done>;

/// What the supervisor tells the body: the first byte of a packet, the rest is text.
enum class Word : char {
    stop = 'S',    ///< with the reason
    pause = 'P',   ///< answered by ReadyToPause, upon which the body is stopped
    resume = 'R',  ///< it was stopped and goes on
};

/// A packet that is none.
class PacketError : public Error {
  public:
    using Error::Error;
};

/// One event as a packet, and back. Throws PacketError.
std::string encode_packet(const BodyEvent& event);
BodyEvent decode_packet(std::string_view packet);

/// The longest packet that is sent, in bytes; a text that does not fit is sent in parts.
inline constexpr std::size_t packet_limit = std::size_t{96} << 10;

/// The body's end. Calls may come from any thread. What cannot be sent (the supervisor is gone) is lost: the
/// body is about to be killed then.
class BodyChannel {
  public:
    explicit BodyChannel(UniqueFd socket) : socket_(std::move(socket)) {}

    void log(log::Level level, std::string_view logger, std::string_view line);
    /// Appends to the task's whiteboard file; Avocado ends it with a newline.
    void whiteboard(std::string_view text);
    /// Appends to the file \p name of the task's output directory.
    void file(std::string_view name, std::string_view bytes);
    void output(std::string_view text);
    /// The supervisor is to end this body after \p limit, naming \p name as the reason. Zero lifts it.
    void time_limit(Seconds limit, std::string_view name);
    void spare_guardian(std::string_view job_dir);
    void ready_to_pause(std::string_view ways_in);
    void result(const TestResult& result);

    int fd() const { return socket_.get(); }

  private:
    void send(const BodyEvent& event);

    UniqueFd socket_;
};

}  // namespace vt::nrunner
