// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a loop waits for, by name rather than by index: add() hands out a ticket, which is asked after
/// wait().
///
///     PollSet set;
///     const auto owner = set.add(owner_fd, POLLIN);
///     const auto input = set.add(input_fd, POLLIN);
///     if (set.wait(deadline) && set.ready(owner)) { ... }
///
/// A loop makes its set anew in each round, so nothing that was closed meanwhile stays in it.
#pragma once

#include "runner/support/deadline.hpp"

#include <cstddef>
#include <vector>

#include <poll.h>

namespace vt {

/// A set of descriptors for one poll(2).
class PollSet {
  public:
    /// Stands for a descriptor in the set that made it.
    class Ticket {
      public:
        Ticket() = default;

      private:
        friend class PollSet;
        explicit Ticket(std::size_t index) : index_(index) {}
        std::size_t index_ = static_cast<std::size_t>(-1);
    };

    /// Waits for \p events (POLLIN, POLLOUT) on \p fd; -1 is never ready.
    Ticket add(int fd, short events = POLLIN);
    /// Waits until one is ready; false if \p deadline passed first. A signal may end the wait early, with
    /// nothing ready. Throws SystemError.
    bool wait(const Deadline& deadline);
    /// The same for at most \p timeout_ms milliseconds, -1 being for ever: for a loop whose patience is the
    /// least of several (see sooner_ms()).
    bool wait_ms(int timeout_ms);
    /// True if the last wait() found one of its events, an error or a hang-up there; false for a ticket that
    /// no set has made.
    bool ready(Ticket ticket) const { return events(ticket) != 0; }
    /// What poll(2) said.
    short events(Ticket ticket) const;

  private:
    std::vector<pollfd> fds_;
};

/// The shorter of two of poll(2)'s timeouts, of which -1 is the longest.
inline int sooner_ms(int one, int other) {
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

}  // namespace vt
