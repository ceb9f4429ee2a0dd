// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The one type that every wait takes.
///
/// A Deadline is a moment on CLOCK_MONOTONIC, made once from a duration and handed down, so that a chain of
/// waits shares one limit instead of adding up. Time that the task spends paused does not count: a pause is
/// booked once with add_pause(), and every Deadline, existing ones included, moves by it. The booked pauses
/// can be shared with child processes, so that a process that is stopped and goes on finds its own pause
/// booked before it looks at the clock.
#pragma once

#include <chrono>
#include <optional>

namespace vt {

/// Seconds as users write them (parameters such as login_timeout are floats).
using Seconds = std::chrono::duration<double>;

/// A moment until which something may be awaited; cheap to copy.
class Deadline {
  public:
    using Clock = std::chrono::steady_clock;

    /// The moment \p timeout from now; a negative timeout counts as zero.
    static Deadline after(Seconds timeout);
    /// A deadline that never passes.
    static Deadline never();

    /// True once the moment has passed.
    bool expired() const;
    /// What is left, at least zero; Seconds::max() for never().
    Seconds remaining() const;
    /// What is left in milliseconds as poll(2) takes it: rounded up, -1 for never().
    int poll_timeout_ms() const;
    /// The duration it was made with, for messages ("after 240 s").
    Seconds total() const { return total_; }
    /// The earlier of this and \p other.
    Deadline sooner(const Deadline& other) const;

    /// Books time spent paused, by which every deadline in this process moves.
    static void add_pause(Seconds pause);
    /// From now on pauses that this process or a child forked from it books count for all of them. To be
    /// called while the process has one thread. Throws SystemError.
    static void share_pauses();
    /// The monotonic clock less all pauses, for waits that cannot take a Deadline.
    static Seconds pause_free_now();

  private:
    Deadline(std::optional<Clock::time_point> at, Seconds total) : at_(at), total_(total) {}

    std::optional<Clock::time_point> at_;  ///< in pause-free time; empty: never
    Seconds total_;
};

}  // namespace vt
