// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/silence.hpp"

#include "runner/support/log.hpp"
#include "runner/support/process_state.hpp"

#include <algorithm>

#include <sys/socket.h>

namespace vt {

pid_t socket_peer(int fd) {
    ucred peer{};
    socklen_t size = sizeof peer;
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? std::max(peer.pid, 0) : 0;
}

std::string Silence::state_words(pid_t peer) {
    return peer == 0 ? std::string() : fmt::format("; QEMU (pid {}) {}", peer, process_state_text(peer));
}

void Silence::speak() {
    log::warning("(monitor {}) No answer to '{}' for {:.0f} s; still waiting{}", who_, what_,
                 (Deadline::pause_free_now() - since_).count(), state_words(peer_));
    pause_ *= 2;
    due_ = Deadline::after(pause_);
}

}  // namespace vt
