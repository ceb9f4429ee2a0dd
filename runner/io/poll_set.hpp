// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The descriptors of one poll(2), each with a name.
///
/// A loop that waits for many things asks for each by the entry that it was given, and not by its place in a
/// list, which moves whenever somebody adds one.
#pragma once

#include "runner/support/error.hpp"

#include <cerrno>
#include <cstddef>
#include <vector>

#include <poll.h>

namespace vt {

/// What one turn of a loop waits for. Made anew for each turn.
class PollSet {
  public:
    /// Names one descriptor of the set.
    enum class Entry : std::size_t {};

    /// Adds \p fd; -1 is never ready.
    Entry add(int fd, short events = POLLIN) {
        fds_.push_back({fd, events, 0});
        return static_cast<Entry>(fds_.size() - 1);
    }
    /// Waits until one is ready, a signal comes, or \p timeout_ms have passed (-1: never). Throws
    /// SystemError.
    void wait(int timeout_ms) {
        if (::poll(fds_.data(), fds_.size(), timeout_ms) < 0) {
            if (errno != EINTR) {
                throw SystemError("cannot wait on descriptors", errno);
            }
            for (auto& fd : fds_) {
                fd.revents = 0;
            }
        }
    }
    bool ready(Entry entry) const { return events(entry) != 0; }
    /// What poll(2) said of it.
    short events(Entry entry) const { return fds_.at(static_cast<std::size_t>(entry)).revents; }

  private:
    std::vector<pollfd> fds_;
};

/// The shorter of two of poll(2)'s timeouts, of which -1 is the longest.
inline int sooner_ms(int one, int other) {
    return one < 0 || (other >= 0 && other < one) ? other : one;
}

}  // namespace vt
