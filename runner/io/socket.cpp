// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/socket.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace vt {
namespace {

/// How long a socket may be bound without listening before the next look.
constexpr Seconds listen_retry{0.01};

/// One attempt; nothing if nobody listens there (yet).
std::optional<UniqueFd> try_connect(const std::filesystem::path& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        throw SystemError("make a Unix socket", errno);
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string name = path.string();
    UniqueFd directory;
    if (name.size() >= sizeof(address.sun_path)) {
        // Too long for an address: go by the directory's descriptor.
        directory.reset(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!directory) {
            throw SystemError("open " + path.parent_path().string(), errno);
        }
        name = fmt::format("/proc/self/fd/{}/{}", directory.get(), path.filename().string());
        if (name.size() >= sizeof(address.sun_path)) {
            throw Error(fmt::format(
                "socket name {} is longer than the {} bytes that Unix sockets allow; use a shorter one",
                path.string(), sizeof(address.sun_path) - 1));
        }
    }
    std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
    int rc = 0;
    do {
        rc = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } while (rc != 0 && errno == EINTR);
    if (rc == 0) {
        return fd;
    }
    if (errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN) {
        return std::nullopt;
    }
    throw SystemError("connect to " + path.string(), errno);
}

/// Empties an inotify descriptor.
void drain(int fd) {
    char events[4096];
    while (::read(fd, events, sizeof events) > 0) {
    }
}

}  // namespace

bool wait_ready(int fd, short events, const Deadline& deadline, const Interrupt* interrupt) {
    for (;;) {
        pollfd fds[2] = {{fd, events, 0}, {interrupt != nullptr ? interrupt->fd() : -1, POLLIN, 0}};
        const int ready = ::poll(fds, 2, deadline.poll_timeout_ms());
        if (ready < 0 && errno != EINTR) {
            throw SystemError("wait on a descriptor", errno);
        }
        if (interrupt != nullptr && interrupt->reason()) {
            throw InterruptedError(*interrupt->reason());
        }
        if (ready > 0 && fds[0].revents != 0) {
            return true;
        }
        if (ready == 0 && deadline.expired()) {
            return false;
        }
    }
}

void send_all(int fd, std::string_view bytes, const Deadline& deadline) {
    const std::size_t total = bytes.size();
    while (!bytes.empty()) {
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!wait_ready(fd, POLLOUT, deadline)) {
                throw TimeoutError(fmt::format("the peer did not take {} of {} bytes within {:.0f} s",
                                               bytes.size(), total, deadline.total().count()));
            }
        } else if (errno != EINTR) {
            throw SystemError("send on a socket", errno);
        }
    }
}

UniqueFd connect_unix(const std::filesystem::path& path, const Deadline& deadline,
                      const Interrupt* interrupt) {
    UniqueFd watch(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    const auto directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    // Watched before the first look, so that a socket made in between is not missed. Without inotify the
    // timer does.
    const bool watched = watch && ::inotify_add_watch(watch.get(), directory.c_str(),
                                                      IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >= 0;
    for (;;) {
        if (auto fd = try_connect(path)) {
            return std::move(*fd);
        }
        std::error_code ignored;
        const bool there = std::filesystem::exists(path, ignored);
        const Deadline pause = there || !watched ? deadline.sooner(Deadline::after(listen_retry)) : deadline;
        if (wait_ready(watched ? watch.get() : -1, POLLIN, pause, interrupt)) {
            drain(watch.get());
        } else if (deadline.expired()) {
            throw TimeoutError(fmt::format("nobody listens on {} after {:.0f} s: {}", path.string(),
                                           deadline.total().count(),
                                           there ? "the socket is there" : "the socket is not there"));
        }
    }
}

}  // namespace vt
