// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tcp.hpp"
#include "runner/harness/driver/tcp_socket.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vt::driver {
namespace asio = boost::asio;

namespace {

/// A client that has not done it by then is none.
constexpr std::chrono::seconds handshake_timeout{10};

}  // namespace

struct TcpServer::Connection : Stream {
    using Stream::Stream;
};

/// Shared with the handlers on the loop, which may run for the last time after the server has gone.
struct TcpServer::State : std::enable_shared_from_this<State> {
    State(IoLoop& the_loop, ServerOptions the_options, std::shared_ptr<TrafficLog> the_traffic)
        : loop(the_loop),
          options(std::move(the_options)),
          tls(options.tls ? TlsContext::server(*options.tls, options.name) : nullptr),
          traffic(std::move(the_traffic)),
          acceptor(the_loop.context()),
          pause(the_loop.context()) {}

    /// On the loop: takes all that have come, then waits for the next.
    void wait_for_next();
    void take_all();
    void begin_handshake(UniqueFd fd);
    void shake_hands(const std::shared_ptr<Handshake>& handshake);
    void refuse(Handshake& handshake, const std::string& why);
    void arrive(UniqueFd fd, std::unique_ptr<TlsSession> session);

    IoLoop& loop;
    const ServerOptions options;
    const std::shared_ptr<const TlsContext> tls;
    const std::shared_ptr<TrafficLog> traffic;
    asio::posix::stream_descriptor acceptor;  ///< used on the loop only, once it listens
    asio::steady_timer pause;
    std::set<std::shared_ptr<Handshake>> handshakes;  ///< that go on; on the loop only

    mutable std::mutex mutex;
    std::condition_variable came;
    UniqueFd listener;
    bool listening = false;
    std::string ip;
    std::uint16_t port = 0;
    std::map<std::size_t, std::shared_ptr<Connection>> connections;
    std::size_t arrived = 0;
    std::size_t accepted = 0;
    std::string refusal;
};

/// A connection whose TLS handshake goes on. Used on the loop only.
struct TcpServer::Handshake {
    Handshake(IoLoop& loop, UniqueFd fd) : socket(loop.context(), fd.release()), timer(loop.context()) {}

    asio::posix::stream_descriptor socket;
    asio::steady_timer timer;
    std::unique_ptr<TlsSession> session;
};

void TcpServer::State::wait_for_next() {
    acceptor.async_wait(asio::posix::stream_descriptor::wait_read,
                        [self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error) {
                                self->take_all();
                            }
                        });
}

void TcpServer::State::take_all() {
    for (;;) {
        UniqueFd fd(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!fd) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                wait_for_next();
                return;
            }
            // No descriptors left, usually: the event would come again and again.
            log::warning("{} cannot accept a connection: {}; it tries again", options.name,
                         errno_text(errno));
            pause.expires_after(std::chrono::milliseconds(50));
            pause.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
                if (!error) {
                    self->wait_for_next();
                }
            });
            return;
        }
        {
            const std::lock_guard lock(mutex);
            if (!listening) {  // retired: this was the last one
                listener.reset();
                boost::system::error_code ignored;
                acceptor.close(ignored);
                return;
            }
        }
        if (tls) {
            begin_handshake(std::move(fd));
        } else {
            arrive(std::move(fd), nullptr);
        }
    }
}

void TcpServer::State::arrive(UniqueFd fd, std::unique_ptr<TlsSession> session) {
    {
        const std::lock_guard lock(mutex);
        if (!listening) {
            return;
        }
        const std::size_t index = arrived++;
        const std::string who = fmt::format("{}[{}]", options.name, index);
        if (traffic) {
            traffic->event(who, session ? "connected by " + session->description() : "connected");
        }
        connections[index] = std::make_shared<Connection>(std::move(fd), who, traffic, std::move(session));
    }
    came.notify_all();
}

void TcpServer::State::begin_handshake(UniqueFd fd) {
    auto handshake = std::make_shared<Handshake>(loop, std::move(fd));
    try {
        handshake->session = std::make_unique<TlsSession>(tls, handshake->socket.native_handle());
    } catch (const Error& error) {
        log::warning("{}", error.what());
        return;
    }
    handshakes.insert(handshake);
    handshake->timer.expires_after(handshake_timeout);
    handshake->timer.async_wait(
        [self = shared_from_this(), handshake](const boost::system::error_code& error) {
            if (!error) {
                self->refuse(
                    *handshake,
                    fmt::format("{}: a client has not done its TLS handshake after {} s; does it speak TLS?",
                                self->options.name, handshake_timeout.count()));
                self->handshakes.erase(handshake);
            }
        });
    shake_hands(handshake);
}

void TcpServer::State::shake_hands(const std::shared_ptr<Handshake>& handshake) {
    try {
        const auto step = handshake->session->handshake();
        if (step.bytes == 0) {
            handshakes.erase(handshake);
            handshake->timer.cancel();
            arrive(UniqueFd(handshake->socket.release()), std::move(handshake->session));
            return;
        }
        handshake->socket.async_wait(
            step.wait_for == POLLIN ? asio::posix::stream_descriptor::wait_read
                                    : asio::posix::stream_descriptor::wait_write,
            [self = shared_from_this(), handshake](const boost::system::error_code& error) {
                if (!error) {
                    self->shake_hands(handshake);
                }
            });
    } catch (const Error& error) {
        refuse(*handshake, error.what());
        handshakes.erase(handshake);
    }
}

void TcpServer::State::refuse(Handshake& handshake, const std::string& why) {
    log::warning("{}", why);
    boost::system::error_code ignored;
    handshake.timer.cancel();
    handshake.socket.close(ignored);
    if (traffic) {
        traffic->event(options.name, "refused a connection: " + why);
    }
    const std::lock_guard lock(mutex);
    refusal = why;
}

TcpServer::TcpServer(IoLoop& loop, ServerOptions options, std::shared_ptr<TrafficLog> traffic)
    : state_(std::make_shared<State>(loop, std::move(options), std::move(traffic))) {}

TcpServer::~TcpServer() {
    close();
}

void TcpServer::bind() {
    const ServerOptions& options = state_->options;
    const Address address = resolve(options.name, options.host, options.port).front();
    UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        throw SystemError(options.name + ": make a socket", errno);
    }
    if (options.port != 0) {
        const int on = 1;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (::bind(fd.get(), address.get(), address.size) != 0) {
        const int error = errno;
        throw SystemError(
            fmt::format("{}: listen on {} port {}{}", options.name, options.host, options.port,
                        error == EADDRINUSE ? ", which somebody else has; port 0 takes a free one" : ""),
            error);
    }
    const auto bound = bound_to(fd.get()).text();
    const std::lock_guard lock(state_->mutex);
    state_->listener = std::move(fd);
    state_->ip = bound.first;
    state_->port = bound.second;
}

void TcpServer::listen() {
    const int fd = this->fd();
    if (fd < 0) {
        throw NoConnectionError(state_->options.name + " has no port yet; call bind() first");
    }
    if (::listen(fd, state_->options.backlog) != 0) {
        throw SystemError(fmt::format("{}: listen on port {}", state_->options.name, port()), errno);
    }
    const int own = ::dup(fd);
    if (own < 0) {
        throw SystemError(state_->options.name + ": duplicate the listening socket", errno);
    }
    {
        const std::lock_guard lock(state_->mutex);
        state_->listening = true;
    }
    state_->loop.run_there([this, own] {
        state_->acceptor.assign(own);
        state_->wait_for_next();
    });
}

void TcpServer::close() {
    state_->loop.run_there([this] {
        boost::system::error_code ignored;
        state_->pause.cancel();
        state_->acceptor.close(ignored);
        for (const auto& handshake : state_->handshakes) {
            handshake->timer.cancel();
            handshake->socket.close(ignored);
        }
        state_->handshakes.clear();
    });
    retire();
    const std::lock_guard lock(state_->mutex);
    if (state_->listener) {
        ::shutdown(state_->listener.get(), SHUT_RDWR);
        state_->listener.reset();
    }
}

void TcpServer::retire() {
    std::map<std::size_t, std::shared_ptr<Connection>> connections;
    {
        const std::lock_guard lock(state_->mutex);
        state_->listening = false;
        connections.swap(state_->connections);
    }
    for (const auto& entry : connections) {
        entry.second->shut_down();
    }
    state_->came.notify_all();
    if (state_->traffic) {
        state_->traffic->flush();
    }
}

bool TcpServer::listening() const {
    const std::lock_guard lock(state_->mutex);
    return state_->listening;
}

const std::string& TcpServer::host() const {
    return state_->options.host;
}

std::string TcpServer::ip() const {
    const std::lock_guard lock(state_->mutex);
    return state_->ip;
}

std::uint16_t TcpServer::port() const {
    const std::lock_guard lock(state_->mutex);
    return state_->port;
}

int TcpServer::fd() const {
    const std::lock_guard lock(state_->mutex);
    return state_->listener.get();
}

std::optional<std::size_t> TcpServer::accept(const Deadline& deadline) {
    std::unique_lock lock(state_->mutex);
    while (state_->accepted >= state_->arrived) {
        if (deadline.expired() || !state_->listening) {
            return std::nullopt;
        }
        const auto at_most = std::min(deadline.remaining(), Seconds{60});
        state_->came.wait_for(lock, std::chrono::duration_cast<std::chrono::microseconds>(at_most));
    }
    return state_->accepted++;
}

std::string TcpServer::refusal() const {
    const std::lock_guard lock(state_->mutex);
    return state_->refusal;
}

std::size_t TcpServer::arrived() const {
    const std::lock_guard lock(state_->mutex);
    return state_->arrived;
}

std::size_t TcpServer::accepted() const {
    const std::lock_guard lock(state_->mutex);
    return state_->accepted;
}

std::shared_ptr<TcpServer::Connection> TcpServer::connection(std::optional<std::size_t> index) const {
    const std::lock_guard lock(state_->mutex);
    if (state_->accepted == 0) {
        throw NoConnectionError(fmt::format("No connection accepted by {}; call accept_connection() first",
                                            state_->options.name));
    }
    const std::size_t wanted = index.value_or(state_->accepted - 1);
    const auto found = state_->connections.find(wanted);
    if (found == state_->connections.end()) {
        throw NoConnectionError(fmt::format("Connection {} not active: {} has {} of {} that came", wanted,
                                            state_->options.name, state_->connections.size(),
                                            state_->arrived));
    }
    return found->second;
}

void TcpServer::close_connection(std::size_t index) {
    std::shared_ptr<Connection> closed;
    {
        const std::lock_guard lock(state_->mutex);
        const auto found = state_->connections.find(index);
        if (found == state_->connections.end()) {
            throw NoConnectionError(fmt::format("Connection {} not active, it cannot be closed", index));
        }
        closed = std::move(found->second);
        state_->connections.erase(found);
    }
    closed->shut_down();
    if (state_->traffic) {
        state_->traffic->event(closed->who(), "closed");
    }
}

std::string TcpServer::receive(std::size_t size, std::optional<std::size_t> index, const Deadline& deadline) {
    return connection(index)->receive_exactly(size, deadline);
}

std::optional<std::string> TcpServer::receive_some(std::size_t size, std::optional<std::size_t> index) {
    return connection(index)->receive_some(size);
}

void TcpServer::send(std::string_view bytes, std::optional<std::size_t> index, const Deadline& deadline) {
    connection(index)->send(bytes, deadline);
}

}  // namespace vt::driver
