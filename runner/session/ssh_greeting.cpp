// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh_greeting.hpp"

#include "runner/support/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

namespace vt {
namespace {

constexpr std::string_view identification = "SSH-";
/// OpenSSH's client bears as much.
constexpr std::size_t most_lines = 1024;
constexpr std::size_t longest_line = 8192;
/// Of a line that is told to people.
constexpr std::size_t shown = 200;

/// poll(2) reports the socket readable from so many bytes on, or at its end.
void wake_at(int fd, int bytes) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

bool hung_up(int fd) {
    pollfd poll_fd{fd, POLLRDHUP, 0};
    return ::poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

SshGreeting::State SshGreeting::read(int fd) {
    for (;;) {
        std::array<char, 4096> buffer;
        const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
        if (got == 0) {
            return State::closed;
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN) {
                return State::waiting;
            }
            throw SystemError("read from an SSH server", errno);
        }
        const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
        if (length_ == 0 && bytes.starts_with(identification.substr(0, bytes.size()))) {
            if (bytes.size() >= identification.size()) {
                wake_at(fd, 1);
                return State::speaks;
            }
            wake_at(fd, static_cast<int>(identification.size()));
            return hung_up(fd) ? State::closed : State::waiting;
        }
        if (const auto state = take_text(fd, bytes); state != State::waiting) {
            return state;
        }
    }
}

/// Takes the rest of a line, or what there is of it, off the socket.
SshGreeting::State SshGreeting::take_text(int fd, std::string_view bytes) {
    const auto end = bytes.find('\n');
    bytes = bytes.substr(0, end == std::string_view::npos ? end : end + 1);
    std::array<char, 4096> taken;
    if (::recv(fd, taken.data(), bytes.size(), MSG_DONTWAIT) != static_cast<ssize_t>(bytes.size())) {
        throw SystemError("read from an SSH server", errno);
    }
    wake_at(fd, 1);
    length_ += bytes.size();
    for (const char c : bytes.substr(0, shown - std::min(shown, line_.size()))) {
        if (c != '\n' && c != '\r') {
            line_ += c >= ' ' && c <= '~' ? c : '?';
        }
    }
    said_ = line_;
    if (end != std::string_view::npos) {
        ++lines_;
        length_ = 0;
        line_.clear();
    }
    return lines_ > most_lines || length_ > longest_line ? State::strange : State::waiting;
}

}  // namespace vt
