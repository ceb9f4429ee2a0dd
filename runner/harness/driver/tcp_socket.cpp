// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tcp_socket.hpp"

#include "runner/io/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace vt::driver {

std::pair<std::string, std::uint16_t> Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> host{};
    if (storage.ss_family == AF_INET6) {
        sockaddr_in6 in6{};
        std::memcpy(&in6, &storage, sizeof in6);
        ::inet_ntop(AF_INET6, &in6.sin6_addr, host.data(), host.size());
        return {host.data(), ntohs(in6.sin6_port)};
    }
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    ::inet_ntop(AF_INET, &in.sin_addr, host.data(), host.size());
    return {host.data(), ntohs(in.sin_port)};
}

std::vector<Address> resolve(const std::string& who, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int code =
        ::getaddrinfo(host.empty() ? "0.0.0.0" : host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (code != 0) {
        throw ResolveError(fmt::format("{}: the name '{}' cannot be resolved ({}); give a host that this "
                                       "machine knows, or an address",
                                       who, host, ::gai_strerror(code)),
                           code);
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
    std::vector<Address> addresses;
    for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
        Address address;
        std::memcpy(&address.storage, info->ai_addr, info->ai_addrlen);
        address.size = info->ai_addrlen;
        addresses.push_back(address);
    }
    std::stable_partition(addresses.begin(), addresses.end(),
                          [](const Address& address) { return address.storage.ss_family == AF_INET; });
    return addresses;
}

Address bound_to(int fd) {
    Address address;
    address.size = sizeof address.storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
        throw SystemError("ask a socket for its address", errno);
    }
    return address;
}

std::uint16_t port_number(const std::string& port) {
    unsigned number = 0;
    const char* end = port.data() + port.size();
    const auto read = std::from_chars(port.data(), end, number);
    if (read.ec == std::errc{} && read.ptr == end && number <= 65535) {
        return static_cast<std::uint16_t>(number);
    }
    std::array<char, 1024> room{};
    servent entry{};
    servent* found = nullptr;
    if (::getservbyname_r(port.c_str(), "tcp", &entry, room.data(), room.size(), &found) == 0 &&
        found != nullptr) {
        return ntohs(static_cast<std::uint16_t>(found->s_port));
    }
    throw Error(fmt::format(
        "'{}' is no port: a number from 0 to 65535, or a service's name of /etc/services, is", port));
}

Stream::Stream(UniqueFd fd, std::string who, std::shared_ptr<TrafficLog> traffic,
               std::unique_ptr<TlsSession> tls)
    : fd_(std::move(fd)), who_(std::move(who)), traffic_(std::move(traffic)), tls_(std::move(tls)) {
    // Tests talk in small messages and wait for the answer to each.
    const int on = 1;
    ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

TlsSession::Step Stream::read_once(char* into, std::size_t size) {
    if (tls_) {
        return tls_->read(into, size);
    }
    for (;;) {
        const ssize_t got = ::recv(fd_.get(), into, size, MSG_DONTWAIT);
        if (got >= 0) {
            return {got, 0};
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return {-1, POLLIN};
        }
        if (errno == ECONNRESET) {
            return {0, 0};
        }
        if (errno != EINTR) {
            throw SystemError(fmt::format("receive on {}", who_), errno);
        }
    }
}

void Stream::await_bytes(short events, const Deadline& deadline, const std::string& wanted) {
    if (traffic_) {
        traffic_->flush();
    }
    if (!wait_ready(fd_.get(), events, deadline)) {
        throw TimeoutError(
            fmt::format("{} has not received {} after {:.1f} s", who_, wanted, deadline.total().count()));
    }
}

std::string Stream::receive(std::size_t size, const Deadline& deadline) {
    const std::lock_guard lock(reading_);
    std::string bytes = std::exchange(kept_, {});
    if (bytes.size() > size) {
        kept_ = bytes.substr(size);
        bytes.resize(size);
    }
    while (bytes.empty() && size > 0) {
        bytes.resize(size);
        const auto got = read_once(bytes.data(), size);
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got.bytes, 0)));
        if (got.bytes >= 0) {
            break;
        }
        await_bytes(got.wait_for, deadline, "anything");
    }
    if (traffic_) {
        traffic_->received(who_, bytes);
    }
    return bytes;
}

std::string Stream::receive_exactly(std::size_t size, const Deadline& deadline) {
    const std::lock_guard lock(reading_);
    std::string bytes = std::exchange(kept_, {});
    std::size_t have = std::min(bytes.size(), size);
    if (bytes.size() > size) {
        kept_ = bytes.substr(size);
    }
    bytes.resize(size);
    while (have < size) {
        const auto got = read_once(bytes.data() + have, size - have);
        if (got.bytes == 0) {
            bytes.resize(have);
            throw PeerClosedError(
                fmt::format("{}: the connection was closed by its peer after {} of {} bytes{}", who_, have,
                            size, have == 0 ? "" : ": " + printable(bytes.substr(0, 60))));
        }
        if (got.bytes > 0) {
            have += static_cast<std::size_t>(got.bytes);
            continue;
        }
        try {
            await_bytes(got.wait_for, deadline, fmt::format("{} bytes (but {})", size, have));
        } catch (const TimeoutError&) {
            bytes.resize(have);
            kept_ = std::move(bytes);
            throw;
        }
    }
    if (traffic_) {
        traffic_->received(who_, bytes);
    }
    return bytes;
}

std::optional<std::string> Stream::receive_some(std::size_t size) {
    const std::lock_guard lock(reading_);
    std::string bytes = std::exchange(kept_, {});
    if (bytes.empty()) {
        bytes.resize(size);
        const auto got = read_once(bytes.data(), size);
        if (got.bytes < 0) {
            return std::nullopt;
        }
        bytes.resize(static_cast<std::size_t>(got.bytes));
    } else if (bytes.size() > size) {
        kept_ = bytes.substr(size);
        bytes.resize(size);
    }
    if (traffic_) {
        traffic_->received(who_, bytes);
    }
    return bytes;
}

void Stream::send_by_tls(std::string_view bytes, const Deadline& deadline) {
    const std::size_t total = bytes.size();
    while (!bytes.empty()) {
        const auto sent = tls_->write(bytes);
        if (sent.bytes >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent.bytes));
        } else if (!wait_ready(fd_.get(), sent.wait_for, deadline)) {
            throw TimeoutError(fmt::format("the peer did not take {} of {} bytes within {:.0f} s",
                                           bytes.size(), total, deadline.total().count()));
        }
    }
}

void Stream::send(std::string_view bytes, const Deadline& deadline) {
    const std::lock_guard lock(writing_);
    try {
        if (tls_) {
            send_by_tls(bytes, deadline);
        } else {
            send_all(fd_.get(), bytes, deadline);
        }
    } catch (const TimeoutError& error) {
        throw TimeoutError(fmt::format("{}: {}", who_, error.what()));
    } catch (const SystemError& error) {
        if (error.errnum() == EPIPE || error.errnum() == ECONNRESET) {
            throw PeerClosedError(fmt::format(
                "{}: {} bytes could not be sent, the peer has closed the connection", who_, bytes.size()));
        }
        throw;
    }
    if (traffic_) {
        traffic_->sent(who_, bytes);
    }
}

void Stream::shut_down() {
    if (tls_) {
        tls_->close();
    }
    ::shutdown(fd_.get(), SHUT_RDWR);
}

}  // namespace vt::driver
