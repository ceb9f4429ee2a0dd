// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh_connect.hpp"

#include "runner/io/socket.hpp"
#include "runner/session/server_sign.hpp"
#include "runner/session/ssh_greeting.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
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

/// With user-mode networking a connection that is given up reaches the guest all the same, so that there are
/// never more than two, and none is replaced that may still be answered.
constexpr std::size_t most_attempts = 2;
/// A connection that the host's own kernel has not got through (a guest behind a bridge) has not reached
/// anybody: it is made anew after this time, before the pauses between its packets get long.
constexpr Seconds unconnected{3};
/// Pauses after a refusal, each twice the last. Nothing tells when somebody listens, and the guest's kernel
/// refuses for little; a server that says that it has too many clients is given more time.
constexpr Seconds first_pause{0.1};
constexpr Seconds longest_pause{0.8};
constexpr Seconds first_busy_pause{1};
constexpr Seconds longest_busy_pause{8};

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

Clock::duration clock_time(Seconds time) {
    return std::chrono::duration_cast<Clock::duration>(time);
}

/// One connection on its way to a banner. However it goes but by the banner, it is cut off (a reset, no
/// orderly end), so that no side keeps anything of it.
struct Attempt {
    UniqueFd fd;
    bool blind = false;  ///< made before the guest was seen to listen
    bool connected = false;
    Clock::time_point started = Clock::now();
    SshGreeting greeting = {};
};

/// What became of an attempt that was looked at.
struct Outcome {
    enum class Kind { waiting, speaking, refused, closed };
    Kind kind = Kind::waiting;
    int errnum = 0;    ///< of refused
    std::string said;  ///< of closed: the server's words
};

class BannerHunt {
  public:
    BannerHunt(const SshTarget& target, bool persistent, const ConnectPace& pace)
        : target_(target),
          persistent_(persistent),
          pace_(pace),
          addresses_(resolve(target.host, target.interface, target.port)) {
        next_address_ = addresses_.get();
    }

    UniqueFd run(const Deadline& deadline) {
        for (;;) {
            look_at_sign();
            drop_hopeless();
            if (const auto due = next_start(); due && *due <= Clock::now()) {
                ++started_;
                start();
            }
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
    void look_at_sign() {
        if (!target_.sign) {
            return;
        }
        const auto before = std::exchange(sign_, target_.sign->look());
        if (sign_ == before) {
            return;
        }
        if (sign_ == ServerSign::State::absent) {
            last_seen_ = "the guest's network does not answer";
        } else if (sign_ == ServerSign::State::refusing) {
            last_seen_ = "the guest's network answers, but nobody listens at the port";
        }
    }

    /// When the next connection is to be made; nothing if only an event can tell.
    std::optional<Clock::time_point> next_start() const {
        if (!persistent_ && started_ > 0 && !attempts_.empty()) {
            return std::nullopt;
        }
        if (attempts_.empty()) {
            const bool hopeless =
                sign_ == ServerSign::State::absent || (sign_ == ServerSign::State::refusing && persistent_);
            return hopeless ? std::max(next_start_, begin_ + clock_time(pace_.longest_hold)) : next_start_;
        }
        if (attempts_.size() >= most_attempts) {
            return std::nullopt;
        }
        const auto& first = attempts_.front();
        // One that was made too early may have been lost on its way to a guest that is there only now.
        if (sign_ == ServerSign::State::absent || sign_ == ServerSign::State::refusing) {
            return std::nullopt;
        }
        const bool lost = first.blind && sign_ == ServerSign::State::listening;
        return lost ? next_start_ : std::max(next_start_, first.started + clock_time(pace_.silence));
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
        cut_off_at_close(fd.get(), true);
        bind_to(fd.get());
        if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS &&
            errno != EINTR) {
            failed({Outcome::Kind::refused, errno, {}});
            return;
        }
        last_seen_ = "connecting";
        const bool blind = target_.sign && sign_ != ServerSign::State::listening;
        attempts_.push_back({std::move(fd), blind});
    }

    static void cut_off_at_close(int fd, bool cut_off) {
        const linger option{cut_off ? 1 : 0, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option);
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

    void drop_hopeless() {
        if (persistent_) {
            std::erase_if(attempts_,
                          [this](const Attempt& attempt) { return Clock::now() >= end_of(attempt); });
        }
    }

    /// When an attempt is made anew.
    Clock::time_point end_of(const Attempt& attempt) const {
        return attempt.started + clock_time(attempt.connected ? pace_.longest_silence : unconnected);
    }

    /// Notes that an attempt failed; the only one's failure is the caller's.
    void failed(const Outcome& outcome) {
        last_seen_ = !outcome.said.empty()
                         ? fmt::format("\"{}\", then the connection was closed", outcome.said)
                     : outcome.errnum == 0 ? "connection closed"
                                           : errno_text(outcome.errnum);
        const bool others = !attempts_.empty() || next_address_ != addresses_.get();
        if (!persistent_ && !others) {
            const std::string said = outcome.errnum == ECONNREFUSED ? "refused"
                                     : outcome.errnum == ETIMEDOUT  ? "timeout"
                                     : outcome.errnum == 0          ? "closed"
                                                                    : "";
            const auto where = fmt::format("{}:{}: {}", target_.host, target_.port, last_seen_);
            throw LoginError(said.empty() ? "cannot connect" : "Client said 'connection " + said + "'",
                             where);
        }
        if (!persistent_) {
            next_start_ = Clock::now();
            return;
        }
        if (target_.sign) {
            target_.sign->ask_again();
        }
        const bool busy = !outcome.said.empty();
        pause_ = std::clamp(2 * pause_, busy ? first_busy_pause : first_pause,
                            busy ? longest_busy_pause : longest_pause);
        next_start_ = Clock::now() + clock_time(pause_);
        if (busy) {
            log::debug("{}:{} said \"{}\" and closed the connection; the next one in {:g} s", target_.host,
                       target_.port, outcome.said, pause_.count());
        }
    }

    /// Looks at all attempts; the socket of one whose peer speaks, if there is one.
    std::optional<UniqueFd> look() {
        for (std::size_t i = 0; i < attempts_.size();) {
            const auto outcome = look_at(attempts_[i]);
            if (outcome.kind == Outcome::Kind::speaking) {
                UniqueFd fd = std::move(attempts_[i].fd);
                cut_off_at_close(fd.get(), false);
                // From here on libssh reads and writes, which it does on blocking sockets after poll().
                ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
                return fd;
            }
            if (outcome.kind == Outcome::Kind::waiting) {
                ++i;
                continue;
            }
            attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
            failed(outcome);
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
                return {Outcome::Kind::refused, errnum, {}};
            }
            attempt.connected = true;
            last_seen_ = "connected, but nothing came";
        }
        try {
            switch (attempt.greeting.read(attempt.fd.get())) {
                case SshGreeting::State::waiting:
                    return {};
                case SshGreeting::State::speaks:
                    return {Outcome::Kind::speaking, 0, {}};
                case SshGreeting::State::closed:
                    return {Outcome::Kind::closed, 0, attempt.greeting.said()};
                case SshGreeting::State::strange:
                    break;
            }
            return {Outcome::Kind::closed, 0, "no SSH server: " + attempt.greeting.said()};
        } catch (const SystemError& error) {
            return {Outcome::Kind::refused, error.errnum(), attempt.greeting.said()};
        }
    }

    void wait(const Deadline& deadline) {
        std::vector<pollfd> fds;
        auto until = deadline;
        const auto wake_at = [&](Clock::time_point moment) {
            until = until.sooner(Deadline::after(std::max(Seconds(moment - Clock::now()), Seconds{0})));
        };
        for (const auto& attempt : attempts_) {
            fds.push_back({attempt.fd.get(), static_cast<short>(attempt.connected ? POLLIN : POLLOUT), 0});
            if (persistent_) {
                wake_at(end_of(attempt));
            }
        }
        if (target_.interrupt) {
            fds.push_back({target_.interrupt->fd(), POLLIN, 0});
        }
        if (target_.sign) {
            fds.push_back({target_.sign->fd(), POLLIN, 0});
        }
        if (const auto due = next_start()) {
            wake_at(*due);
        }
        ::poll(fds.data(), fds.size(), until.poll_timeout_ms());
        if (target_.interrupt && target_.interrupt->reason()) {
            throw LoginError(*target_.interrupt->reason());
        }
    }

    const SshTarget& target_;
    bool persistent_;
    const ConnectPace pace_;
    Addresses addresses_;
    addrinfo* next_address_ = nullptr;
    std::vector<Attempt> attempts_;  ///< oldest first
    std::size_t started_ = 0;
    ServerSign::State sign_ = ServerSign::State::unknown;
    Seconds pause_{0};  ///< the last one after a refusal
    Clock::time_point next_start_ = Clock::now();
    const Clock::time_point begin_ = Clock::now();
    std::string last_seen_ = "nothing";
};

}  // namespace

UniqueFd connect_to_banner(const SshTarget& target, const Deadline& deadline, bool persistent,
                           const ConnectPace& pace) {
    return BannerHunt(target, persistent, pace).run(deadline);
}

}  // namespace vt
