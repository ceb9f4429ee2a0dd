// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What Supervised's threads share; not for others.
///
/// Three kinds of thread meet here: the loop's, which alone touches the Asio descriptors and runs the
/// handlers; owners', which wait on event descriptors; the keep-alive's. The child's handle is used under the
/// mutex, as its number is good only until the loop has reaped it.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/process/child_handle.hpp"
#include "runner/process/output_sink.hpp"
#include "runner/process/supervised.hpp"
#include "runner/support/pattern.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace vt::process {

/// An event descriptor that is readable once set, and for good.
class Flag {
  public:
    Flag();
    void set();
    bool is_set() const { return set_; }
    int fd() const { return fd_.get(); }

  private:
    std::atomic<bool> set_{false};
    UniqueFd fd_;
};

/// The state of one supervised process.
struct SupervisedState {
    SupervisedState(IoLoop& its_loop, Description its_description);

    enum class Woken { event, ended, deadline };
    /// Waits until \p fd (-1: nothing) is readable, the process has ended or \p deadline passes. Throws
    /// InterruptedError.
    Woken await(int fd, const Deadline& deadline, const Interrupt* interrupt) const;
    /// The status, once its end was noticed.
    std::optional<ExitStatus> ended() const;
    /// As Supervised::signal().
    void signal(int signal, bool whole_group);
    /// As Supervised::report().
    std::string report() const;
    /// ": the last it printed: ..." of standard error, if it has said something there, else of standard
    /// output.
    std::string last_words() const;
    /// Why it was killed, for report().
    void note(const std::string& text);

    IoLoop& loop;
    Description description;  ///< its handlers are used on the loop's thread
    const std::string name;
    const std::uint64_t mark;
    const std::chrono::steady_clock::time_point started;
    Flag ended_flag;
    Flag ready_flag;
    std::optional<Pattern> ready_pattern;
    std::unique_ptr<OutputSink> out;
    std::unique_ptr<OutputSink> err;

    mutable std::mutex mutex;
    ChildHandle child;
    ProcessId id;
    std::optional<ExitStatus> status;
    std::chrono::steady_clock::time_point ended_at;
    std::string noted;

    std::mutex input_mutex;
    UniqueFd input;
};

/// Waits until the condition of \p state's description holds. Throws as Supervised::wait_ready().
void await_ready(SupervisedState& state, const Deadline& deadline, const Interrupt* interrupt);

}  // namespace vt::process
