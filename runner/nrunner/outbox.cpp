// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/outbox.hpp"

#include "runner/support/error.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/core.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

namespace vt::nrunner {
namespace {

constexpr std::size_t congestion = std::size_t{8} << 20;
constexpr Seconds connect_patience{60};  // Avocado's loop may be busy for long; a refusal ends it at once
constexpr int retry_ms = 20;

struct FreeAddresses {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

/// Host and port of "host:port", "[v6]:port".
std::pair<std::string, std::string> split_address(const std::string& uri) {
    const auto colon = uri.rfind(':');
    auto host = uri.substr(0, colon);
    if (host.size() > 1 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    return {host, uri.substr(colon + 1)};
}

/// Addresses of \p host; a number is not looked up. Throws Error.
Addresses resolve(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    int failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    if (failure == EAI_NONAME) {
        hints.ai_flags = AI_NUMERICSERV;
        failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    }
    if (failure != 0) {
        throw Error(::gai_strerror(failure));
    }
    return Addresses(list);
}

bool is_null_device(int fd) {
    struct stat info {};
    return ::fstat(fd, &info) == 0 && S_ISCHR(info.st_mode) && info.st_rdev == makedev(1, 3);
}

}  // namespace

Receiver::Receiver(std::string uri) : uri_(std::move(uri)), retry_until_(Deadline::after(connect_patience)) {
    if (uri_.empty()) {
        uri_ = "(empty)";
        give_up("its address is empty");
        return;
    }
    connect();
}

Receiver::Receiver(StandardOutput /*tag*/) {
    // Under Avocado it is /dev/null, for which no line needs to be made.
    if (::fcntl(STDOUT_FILENO, F_GETFD) >= 0 && !is_null_device(STDOUT_FILENO)) {
        fd_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        state_ = fd_ ? State::open : State::dead;
    }
}

void Receiver::connect() {
    if (uri_.find(':') != std::string::npos) {
        connect_inet();
    } else {
        connect_unix();
    }
}

void Receiver::connect_unix() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (uri_.size() >= sizeof address.sun_path) {
        give_up(fmt::format("the path is longer than {} bytes", sizeof address.sun_path - 1));
        return;
    }
    std::memcpy(address.sun_path, uri_.data(), uri_.size());
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const bool connected =
        fd_ && ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (connected) {
        state_ = State::open;
        reached_ = true;
    } else if (errno == EAGAIN && !retry_until_.expired()) {
        // The queue of connections is full; the kernel does not tell when it no longer is.
        state_ = State::retrying;
    } else {
        give_up(errno_text(errno));
    }
}

void Receiver::connect_inet() {
    const auto [host, port] = split_address(uri_);
    int failure = 0;
    try {
        const auto addresses = resolve(host, port);
        for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
            fd_.reset(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            if (fd_ &&
                (::connect(fd_.get(), address->ai_addr, address->ai_addrlen) == 0 || errno == EINPROGRESS)) {
                state_ = State::connecting;
                return;
            }
            failure = errno;
        }
    } catch (const Error& error) {
        give_up(error.what());
        return;
    }
    give_up(errno_text(failure));
}

pid_t Receiver::server_pid() const {
    ucred peer{};
    socklen_t size = sizeof peer;
    const bool known = state_ == State::open && !is_standard_output() &&
                       ::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    return known ? std::max(peer.pid, 0) : 0;  // of a TCP socket it is 0 or -1
}

void Receiver::post(std::string line) {
    if (!dead()) {
        waiting_ += line.size();
        lines_.push_back(std::move(line));
    }
}

pollfd Receiver::wanted() const {
    if (state_ == State::connecting || (state_ == State::open && !lines_.empty())) {
        return {fd_.get(), POLLOUT, 0};
    }
    return {-1, 0, 0};
}

int Receiver::patience_ms() const {
    if (state_ == State::retrying) {
        return retry_ms;
    }
    return state_ == State::connecting ? retry_until_.poll_timeout_ms() : -1;
}

void Receiver::serve(short revents) {
    if (state_ == State::retrying) {
        connect();
        return;
    }
    if (state_ == State::connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        if (revents != 0) {
            ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        } else if (retry_until_.expired()) {
            error = ETIMEDOUT;
        } else {
            return;
        }
        if (error != 0) {
            give_up(errno_text(error));
            return;
        }
        state_ = State::open;
        reached_ = true;
    }
    if (state_ == State::open && revents != 0) {
        write_some();
    }
}

void Receiver::write_some() {
    while (!lines_.empty()) {
        const auto& line = lines_.front();
        ssize_t count = 0;
        if (is_standard_output()) {
            // Not ours alone, so it stays blocking: only what poll(2) promised to take is written.
            count =
                ::write(fd_.get(), line.data() + sent_, std::min<std::size_t>(line.size() - sent_, PIPE_BUF));
        } else {
            count = ::send(fd_.get(), line.data() + sent_, line.size() - sent_, MSG_NOSIGNAL);
        }
        if (count < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                lost(errno);
            }
            return;
        }
        sent_ += static_cast<std::size_t>(count);
        if (sent_ == line.size()) {
            waiting_ -= line.size();
            lines_.pop_front();
            sent_ = 0;
        }
        if (is_standard_output()) {
            return;
        }
    }
}

void Receiver::lost(int errnum) {
    if (is_standard_output() || reconnects_left_-- == 0) {
        give_up(errno_text(errnum));
        return;
    }
    sent_ = 0;
    connect();
}

void Receiver::give_up(const std::string& why) {
    state_ = State::dead;
    fd_.reset();
    lines_.clear();
    waiting_ = 0;
    if (!is_standard_output()) {
        problem_ = fmt::format("the status server {} cannot be reached ({})", uri_, why);
    }
}

Outbox::Outbox(const std::vector<std::string>& uris, bool echo) {
    for (const auto& uri : uris) {
        receivers_.emplace_back(uri);
    }
    if (echo) {
        receivers_.emplace_back(Receiver::StandardOutput());
    }
}

void Outbox::post(const Message& message) {
    std::string json;
    for (auto& receiver : receivers_) {
        if (receiver.dead()) {
            continue;
        }
        if (receiver.is_standard_output()) {
            receiver.post(message.python() + "\n");
            continue;
        }
        if (json.empty()) {
            json = message.json() + "\n";
        }
        receiver.post(json);
    }
}

bool Outbox::congested() const {
    return std::any_of(receivers_.begin(), receivers_.end(),
                       [](const Receiver& receiver) { return receiver.waiting_bytes() > congestion; });
}

bool Outbox::idle() const {
    return std::all_of(receivers_.begin(), receivers_.end(),
                       [](const Receiver& receiver) { return receiver.idle(); });
}

bool Outbox::nobody_there() const {
    const auto servers = std::count_if(receivers_.begin(), receivers_.end(),
                                       [](const Receiver& one) { return !one.is_standard_output(); });
    return servers > 0 && std::all_of(receivers_.begin(), receivers_.end(), [](const Receiver& one) {
               return one.is_standard_output() || (one.dead() && !one.reached());
           });
}

pid_t Outbox::server_pid() const {
    for (const auto& receiver : receivers_) {
        if (const pid_t pid = receiver.server_pid(); pid != 0) {
            return pid;
        }
    }
    return 0;
}

void Outbox::add_to(std::vector<pollfd>& fds) const {
    for (const auto& receiver : receivers_) {
        fds.push_back(receiver.wanted());
    }
}

void Outbox::serve(const pollfd* fds) {
    for (auto& receiver : receivers_) {
        receiver.serve((fds++)->revents);
    }
}

int Outbox::patience_ms() const {
    int patience = -1;
    for (const auto& receiver : receivers_) {
        const int own = receiver.patience_ms();
        if (own >= 0 && (patience < 0 || own < patience)) {
            patience = own;
        }
    }
    return patience;
}

std::vector<std::string> Outbox::take_problems() {
    std::vector<std::string> problems;
    for (auto& receiver : receivers_) {
        if (auto problem = receiver.take_problem(); !problem.empty()) {
            problems.push_back(std::move(problem));
        }
    }
    return problems;
}

}  // namespace vt::nrunner
