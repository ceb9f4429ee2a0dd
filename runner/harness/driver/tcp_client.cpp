// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tcp.hpp"
#include "runner/harness/driver/tcp_socket.hpp"
#include "runner/io/socket.hpp"

#include <cerrno>
#include <ctime>
#include <utility>

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

namespace vt::driver {
namespace {

/// Binds \p fd to the interface's address of the family of \p target.
void bind_to(int fd, const std::string& who, const std::pair<std::string, std::uint16_t>& interface,
             int family) {
    for (const Address& local : resolve(who, interface.first, interface.second)) {
        if (local.storage.ss_family != family) {
            continue;
        }
        const int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (::bind(fd, local.get(), local.size) != 0) {
            throw SystemError(
                fmt::format("{}: bind to the interface {} port {}", who, interface.first, interface.second),
                errno);
        }
        return;
    }
    throw Error(
        fmt::format("{}: the interface {} has no address of the server's family", who, interface.first));
}

/// One attempt; the error's number, 0 if it is connected.
int connect_one(int fd, const Address& target, const Deadline& deadline) {
    if (::connect(fd, target.get(), target.size) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS && errno != EINTR) {
        return errno;
    }
    if (!wait_ready(fd, POLLOUT, deadline)) {
        return ETIMEDOUT;
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
}

/// A session on \p fd whose handshake is done.
std::unique_ptr<TlsSession> agree(int fd, const std::shared_ptr<const TlsContext>& tls,
                                  const ClientOptions& options, const Deadline& deadline) {
    auto session = std::make_unique<TlsSession>(tls, fd, options.host);
    for (auto step = session->handshake(); step.bytes != 0; step = session->handshake()) {
        if (!wait_ready(fd, step.wait_for, deadline)) {
            throw TimeoutError(
                fmt::format("{}: {} port {} is connected, but has not answered the TLS "
                            "handshake after {:.1f} s; does it speak TLS?",
                            options.name, options.host, options.port, deadline.total().count()));
        }
    }
    return session;
}

}  // namespace

struct TcpClient::Socket : Stream {
    using Stream::Stream;
};

TcpClient::TcpClient(ClientOptions options, std::shared_ptr<TrafficLog> traffic)
    : options_(std::move(options)), traffic_(std::move(traffic)) {
    if (options_.tls) {
        tls_ = TlsContext::client(*options_.tls, options_.name);
    }
}

void TcpClient::take(UniqueFd fd, const Deadline& deadline) {
    std::unique_ptr<TlsSession> session;
    std::string how;
    if (tls_) {
        session = agree(fd.get(), tls_, options_, deadline);
        how = " by " + session->description();
    }
    auto fresh = std::make_shared<Socket>(std::move(fd), options_.name, traffic_, std::move(session));
    if (traffic_) {
        traffic_->event(options_.name,
                        fmt::format("connected to {} port {}{}", options_.host, options_.port, how));
    }
    const std::lock_guard lock(mutex_);
    socket_ = std::move(fresh);
}

void TcpClient::connect(const Deadline& deadline) {
    int error = 0;
    for (const Address& target : resolve(options_.name, options_.host, options_.port)) {
        UniqueFd fd(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) {
            throw SystemError(options_.name + ": make a socket", errno);
        }
        if (options_.interface) {
            bind_to(fd.get(), options_.name, *options_.interface, target.storage.ss_family);
        }
        error = connect_one(fd.get(), target, deadline);
        if (error == 0) {
            take(std::move(fd), deadline);
            return;
        }
    }
    if (error == ETIMEDOUT) {
        throw TimeoutError(fmt::format("{} is not connected to {} port {} after {:.1f} s", options_.name,
                                       options_.host, options_.port, deadline.total().count()));
    }
    throw SystemError(fmt::format("{}: connect to {} port {}{}", options_.name, options_.host, options_.port,
                                  error == ECONNREFUSED ? ", where nobody listens" : ""),
                      error);
}

void TcpClient::close() {
    std::shared_ptr<Socket> old;
    {
        const std::lock_guard lock(mutex_);
        old = std::exchange(socket_, nullptr);
    }
    if (old) {
        old->shut_down();
        if (traffic_) {
            traffic_->event(options_.name, "closed");
            traffic_->flush();
        }
    }
}

bool TcpClient::connected() const {
    const std::lock_guard lock(mutex_);
    return socket_ != nullptr;
}

std::shared_ptr<TcpClient::Socket> TcpClient::socket() const {
    const std::lock_guard lock(mutex_);
    if (!socket_) {
        throw NoConnectionError(fmt::format("{} is not connected; call connect() first", options_.name));
    }
    return socket_;
}

std::pair<std::string, std::uint16_t> TcpClient::address() const {
    return bound_to(socket()->fd()).text();
}

std::string TcpClient::receive(std::size_t size, const Deadline& deadline) {
    return socket()->receive(size, deadline);
}

std::string TcpClient::receive_exactly(std::size_t size, const Deadline& deadline) {
    return socket()->receive_exactly(size, deadline);
}

double TcpClient::send(std::string_view bytes, const Deadline& deadline) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    socket()->send(bytes, deadline);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

}  // namespace vt::driver
