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
#include <linux/sockios.h>
#include <netdb.h>
#include <sys/ioctl.h>
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
constexpr Seconds drain_patience{1};

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

Receiver::Receiver(std::string uri, DeliveryRecord& record)
    : uri_(std::move(uri)), record_(&record), retry_until_(Deadline::after(connect_patience)) {
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
    connection_ = ++record_->connection;
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
        ++posted_;
        waiting_ += line.size();
        lines_.push_back(std::move(line));
    }
}

void Receiver::post_last(std::string line) {
    if (record_ != nullptr) {
        record_->last = posted_ + 1;
    }
    post(std::move(line));
}

void Receiver::drop_all_but_last() {
    const std::size_t begun = sent_ > 0 ? 1 : 0;
    if (dead() || lines_.size() <= begun + 1) {
        return;
    }
    const auto first = lines_.begin() + static_cast<std::ptrdiff_t>(begun);
    const auto count = static_cast<std::uint32_t>(lines_.end() - 1 - first);
    std::for_each(first, lines_.end() - 1, [this](const std::string& line) { waiting_ -= line.size(); });
    lines_.erase(first, lines_.end() - 1);
    posted_ -= count;
    if (record_ != nullptr && record_->last > count) {
        record_->last -= count;
    }
}

bool Receiver::was_told() const {
    return record_ != nullptr && (record_->lines > 0 || record_->sending);
}

bool Receiver::take_over() {
    lines_.clear();
    sent_ = waiting_ = 0;
    problem_.clear();
    reconnects_left_ = 1;
    if (record_ == nullptr || dead()) {
        state_ = State::dead;
        return false;
    }
    const std::uint32_t said = record_->lines;
    const std::uint32_t last = record_->last;
    // A short line goes by one call or not at all, so that one that was being sent has most likely gone.
    const bool going = record_->sending && !record_->partial;
    if (last != 0 && said + (going ? 1 : 0) >= last) {
        state_ = State::dead;
        fd_.reset();
        return false;
    }
    posted_ = said;
    retry_until_ = Deadline::after(connect_patience);
    if (record_->connection != connection_) {
        connect();
    } else if (record_->sending) {
        state_ = State::draining;
        retry_until_ = Deadline::after(drain_patience);
    }
    return !dead();
}

bool Receiver::drained() const {
    int bytes = 0;
    return ::ioctl(fd_.get(), SIOCOUTQ, &bytes) != 0 || bytes == 0;
}

pollfd Receiver::wanted() const {
    if (state_ == State::connecting || (state_ == State::open && !lines_.empty())) {
        return {fd_.get(), POLLOUT, 0};
    }
    return {-1, 0, 0};
}

int Receiver::patience_ms() const {
    if (state_ == State::retrying || state_ == State::draining) {
        return retry_ms;  // the kernel has no event for the end of either
    }
    return state_ == State::connecting ? retry_until_.poll_timeout_ms() : -1;
}

void Receiver::serve(short revents) {
    if (state_ == State::retrying) {
        connect();
        return;
    }
    if (state_ == State::draining) {
        if (drained() || retry_until_.expired()) {
            retry_until_ = Deadline::after(connect_patience);
            connect();
        }
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
            record_->sending = true;
            count = ::send(fd_.get(), line.data() + sent_, line.size() - sent_, MSG_NOSIGNAL);
        }
        if (count < 0) {
            if (record_ != nullptr) {
                record_->sending = sent_ > 0;
            }
            if (errno != EAGAIN && errno != EINTR) {
                lost(errno);
            }
            return;
        }
        sent_ += static_cast<std::size_t>(count);
        book();
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

void Receiver::book() {
    if (record_ == nullptr) {
        return;
    }
    const bool whole = sent_ == lines_.front().size();
    record_->partial = !whole;
    if (whole) {
        ++record_->lines;
        record_->sending = false;
    }
}

void Receiver::lost(int errnum) {
    if (is_standard_output() || reconnects_left_-- == 0) {
        give_up(errno_text(errnum));
        return;
    }
    sent_ = 0;
    record_->sending = false;
    record_->partial = false;
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

Outbox::Outbox(const std::vector<std::string>& uris, bool echo) : records_(uris.size()) {
    for (std::size_t number = 0; number < uris.size(); ++number) {
        receivers_.emplace_back(uris[number], *records_.at(number));
    }
    if (echo) {
        receivers_.emplace_back(Receiver::StandardOutput());
    }
}

template <typename Action>
void Outbox::for_each_line(const Message& message, Action&& action) {
    std::string json;
    for (auto& receiver : receivers_) {
        if (receiver.dead()) {
            continue;
        }
        if (receiver.is_standard_output()) {
            action(receiver, message.python() + "\n");
            continue;
        }
        if (json.empty()) {
            json = message.json() + "\n";
        }
        action(receiver, json);
    }
}

void Outbox::post(const Message& message) {
    for_each_line(message, [](Receiver& to, std::string line) { to.post(std::move(line)); });
}

void Outbox::post_last(const Message& message) {
    for_each_line(message, [](Receiver& to, std::string line) { to.post_last(std::move(line)); });
}

void Outbox::drop_all_but_last() {
    for (auto& receiver : receivers_) {
        receiver.drop_all_but_last();
    }
}

void Outbox::take_over(const Message& first, const std::vector<Message>& rest) {
    for (auto& receiver : receivers_) {
        const bool was_told = receiver.was_told();
        if (!receiver.take_over()) {
            continue;
        }
        if (!was_told) {
            receiver.post(first.json() + "\n");
        }
        for (const auto& message : rest) {
            const bool last = &message == &rest.back();
            last ? receiver.post_last(message.json() + "\n") : receiver.post(message.json() + "\n");
        }
    }
}

std::vector<int> Outbox::descriptors() const {
    std::vector<int> fds;
    for (const auto& receiver : receivers_) {
        if (receiver.fd() >= 0) {
            fds.push_back(receiver.fd());
        }
    }
    return fds;
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

Outbox::Entries Outbox::add_to(PollSet& polls) const {
    Entries entries;
    for (const auto& receiver : receivers_) {
        const auto wanted = receiver.wanted();
        entries.push_back(polls.add(wanted.fd, wanted.events));
    }
    return entries;
}

void Outbox::serve(const PollSet& polls, const Entries& entries) {
    auto entry = entries.begin();
    for (auto& receiver : receivers_) {
        receiver.serve(polls.events(*entry++));
    }
}

int Outbox::patience_ms() const {
    int patience = -1;
    for (const auto& receiver : receivers_) {
        patience = sooner_ms(patience, receiver.patience_ms());
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

void drive(Outbox& outbox, const Deadline& deadline) {
    while (!outbox.idle() && !deadline.expired()) {
        PollSet polls;
        const auto entries = outbox.add_to(polls);
        polls.wait_ms(sooner_ms(deadline.poll_timeout_ms(), outbox.patience_ms()));
        outbox.serve(polls, entries);
    }
}

}  // namespace vt::nrunner
