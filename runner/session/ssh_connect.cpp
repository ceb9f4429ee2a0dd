// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh_connect.hpp"

#include "runner/io/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

namespace vt {
namespace {

using Clock = std::chrono::steady_clock;

/// A refused or closed connection is followed by the next one after this time. There is no event to await
/// instead: nothing tells a peer that somebody listens now.
constexpr Seconds retry_interval{0.1};
/// Connections that wait for a banner side by side. One of them may hang in the network's retransmission
/// back-off while a fresh one gets through; more would meet the limits that SSH servers set on
/// unauthenticated connections.
constexpr std::size_t most_attempts = 4;
/// How long an unanswered connection is kept once the others are unanswered too: a part of the time already
/// waited, since a guest that is slow to boot is slow to answer too, and a delay in proportion to the wait is
/// hardly felt.
constexpr double patience_part = 0.2;
constexpr Seconds shortest_patience{1.0};
constexpr Seconds longest_patience{10.0};

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, const std::string& interface, int port) {
    const bool link_local = host.size() > 4 && (host.rfind("fe80", 0) == 0 || host.rfind("FE80", 0) == 0);
    if (link_local && interface.empty()) {
        throw LoginError("When using ipv6 linklocal an interface must be assigned");
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string name = link_local ? host + "%" + interface : host;
    const int rc = getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (rc != 0) {
        throw LoginError(fmt::format("cannot find the address of host '{}': {}", host, gai_strerror(rc)));
    }
    return {found, freeaddrinfo};
}

/// One connection on its way to a banner.
struct Attempt {
    UniqueFd fd;
    bool connected = false;
    Clock::time_point started = Clock::now();
};

/// What became of an attempt that was looked at.
struct Outcome {
    enum class Kind { waiting, speaking, refused, closed };
    Kind kind = Kind::waiting;
    int errnum = 0;  ///< of refused
};

class BannerHunt {
  public:
    BannerHunt(const SshTarget& target, bool persistent)
        : target_(target),
          persistent_(persistent),
          addresses_(resolve(target.host, target.interface, target.port)) {
        next_address_ = addresses_.get();
    }

    UniqueFd run(const Deadline& deadline) {
        for (;;) {
            start_if_due();
            if (auto fd = look()) {
                return std::move(*fd);
            }
            if (deadline.expired()) {
                throw LoginTimeoutError(fmt::format("no SSH banner from {}:{} after {:.0f} s; last seen: {}",
                                                    target_.host, target_.port, deadline.total().count(),
                                                    last_seen_));
            }
            wait(deadline);
        }
    }

  private:
    void start_if_due() {
        if (!persistent_ && started_ > 0 && !attempts_.empty()) {
            return;
        }
        if (Clock::now() < next_start_) {
            return;
        }
        if (attempts_.size() >= most_attempts) {
            attempts_.erase(attempts_.begin());
        }
        ++started_;
        start();
        const auto pause =
            attempts_.size() >= most_attempts ? patience() / double(most_attempts) : retry_interval;
        next_start_ =
            Clock::now() + std::chrono::duration_cast<Clock::duration>(std::max(pause, retry_interval));
    }

    Seconds patience() const {
        return std::clamp(Seconds(Clock::now() - begin_) * patience_part, shortest_patience,
                          longest_patience);
    }

    void start() {
        const addrinfo& address = *next_address_;
        next_address_ = address.ai_next != nullptr ? address.ai_next : addresses_.get();
        UniqueFd fd(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                             address.ai_protocol));
        if (!fd) {
            throw LoginError(fmt::format("cannot make a socket: {}", errno_text(errno)));
        }
        const int on = 1;
        ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        bind_to(fd.get());
        if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS &&
            errno != EINTR) {
            failed(errno);
            return;
        }
        last_seen_ = "connecting";
        attempts_.push_back({std::move(fd), false, Clock::now()});
    }

    void bind_to(int fd) const {
        if (target_.bind_address.empty()) {
            return;
        }
        const auto local = resolve(target_.bind_address, target_.interface, 0);
        if (::bind(fd, local->ai_addr, local->ai_addrlen) != 0) {
            throw LoginError(
                fmt::format("cannot connect from address {}: {}", target_.bind_address, errno_text(errno)));
        }
    }

    /// Notes that an attempt failed; the only one's failure is the caller's.
    void failed(int errnum) {
        last_seen_ = errnum == 0 ? "connection closed" : errno_text(errnum);
        const bool others = !attempts_.empty() || next_address_ != addresses_.get();
        if (!persistent_ && !others) {
            const std::string said = errnum == 0              ? "closed"
                                     : errnum == ECONNREFUSED ? "refused"
                                     : errnum == ETIMEDOUT    ? "timeout"
                                                              : "";
            const auto where = fmt::format("{}:{}: {}", target_.host, target_.port, last_seen_);
            throw LoginError(said.empty() ? "cannot connect" : "Client said 'connection " + said + "'",
                             where);
        }
        if (!persistent_) {
            next_start_ = Clock::now();
        }
    }

    /// Looks at all attempts; the socket of one whose peer speaks, if there is one.
    std::optional<UniqueFd> look() {
        for (std::size_t i = 0; i < attempts_.size();) {
            const auto outcome = look_at(attempts_[i]);
            if (outcome.kind == Outcome::Kind::speaking) {
                UniqueFd fd = std::move(attempts_[i].fd);
                // From here on libssh reads and writes, which it does on blocking sockets after poll().
                ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
                return fd;
            }
            if (outcome.kind == Outcome::Kind::waiting) {
                ++i;
                continue;
            }
            attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
            failed(outcome.errnum);
        }
        return std::nullopt;
    }

    Outcome look_at(Attempt& attempt) {
        pollfd poll_fd{attempt.fd.get(), POLLIN | POLLOUT, 0};
        ::poll(&poll_fd, 1, 0);
        if (poll_fd.revents == 0) {
            return {};
        }
        if (!attempt.connected) {
            int errnum = 0;
            socklen_t length = sizeof errnum;
            ::getsockopt(attempt.fd.get(), SOL_SOCKET, SO_ERROR, &errnum, &length);
            if (errnum != 0) {
                return {Outcome::Kind::refused, errnum};
            }
            attempt.connected = true;
            last_seen_ = "connected, but nothing came";
        }
        char byte = 0;
        const ssize_t got = ::recv(attempt.fd.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (got > 0) {
            return {Outcome::Kind::speaking};
        }
        if (got == 0) {
            return {Outcome::Kind::closed};
        }
        const int errnum = errno;
        const bool waiting = errnum == EAGAIN || errnum == EINTR;
        return waiting ? Outcome{} : Outcome{Outcome::Kind::refused, errnum};
    }

    void wait(const Deadline& deadline) {
        std::vector<pollfd> fds;
        for (const auto& attempt : attempts_) {
            fds.push_back({attempt.fd.get(), static_cast<short>(attempt.connected ? POLLIN : POLLOUT), 0});
        }
        if (target_.interrupt) {
            fds.push_back({target_.interrupt->fd(), POLLIN, 0});
        }
        const bool retrying = persistent_ || attempts_.empty();
        const auto until_start = Deadline::after(std::max(Seconds(next_start_ - Clock::now()), Seconds{0}));
        ::poll(fds.data(), fds.size(),
               (retrying ? deadline.sooner(until_start) : deadline).poll_timeout_ms());
        if (target_.interrupt && target_.interrupt->reason()) {
            throw LoginError(*target_.interrupt->reason());
        }
    }

    const SshTarget& target_;
    bool persistent_;
    Addresses addresses_;
    addrinfo* next_address_ = nullptr;
    std::vector<Attempt> attempts_;  ///< oldest first
    std::size_t started_ = 0;
    Clock::time_point next_start_ = Clock::now();
    const Clock::time_point begin_ = Clock::now();
    std::string last_seen_ = "nothing";
};

}  // namespace

UniqueFd connect_to_banner(const SshTarget& target, const Deadline& deadline, bool persistent) {
    return BannerHunt(target, persistent).run(deadline);
}

}  // namespace vt
