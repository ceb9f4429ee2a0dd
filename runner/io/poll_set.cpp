// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/poll_set.hpp"

#include "runner/support/error.hpp"

#include <cerrno>

namespace vt {

PollSet::Ticket PollSet::add(int fd, short events) {
    fds_.push_back({fd, events, 0});
    return Ticket(fds_.size() - 1);
}

bool PollSet::wait(const Deadline& deadline) {
    return wait_ms(deadline.poll_timeout_ms()) || !deadline.expired();
}

bool PollSet::wait_ms(int timeout_ms) {
    for (auto& fd : fds_) {
        fd.revents = 0;
    }
    const int count = ::poll(fds_.data(), fds_.size(), timeout_ms);
    if (count < 0) {
        if (errno != EINTR) {
            throw SystemError("cannot wait on descriptors", errno);
        }
        for (auto& fd : fds_) {
            fd.revents = 0;
        }
        return true;
    }
    return count > 0;
}

short PollSet::events(Ticket ticket) const {
    return ticket.index_ < fds_.size() ? fds_[ticket.index_].revents : static_cast<short>(0);
}

}  // namespace vt
