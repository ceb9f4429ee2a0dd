// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A TCP server with any number of connections, and a client: the endpoints that a test holds in its hand.
///
/// Connections are accepted on the IoLoop, so that a client never waits for the test; bytes are read by the
/// thread that asks for them, since only then does the kernel hold back a peer that sends too much, and no
/// other thread has to be woken for each message. Semantics are Testplan's (testplan.common.utils.sockets):
/// connections are numbered from 0 in the order of their arrival and accepted in it; the last accepted one
/// is the default. With TLS a connection has arrived when its handshake is done, which the loop does, too.
#pragma once

#include "runner/harness/driver/tls.hpp"
#include "runner/harness/driver/traffic_log.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace vt {
class IoLoop;
}

namespace vt::driver {

/// A host name has no address; what() says which and what the resolver said.
class ResolveError : public Error {
  public:
    ResolveError(const std::string& text, int code) : Error(text), code_(code) {}
    /// getaddrinfo's.
    int code() const { return code_; }

  private:
    int code_;
};

/// The other end closed the connection before a message was whole; what() says after how much of it.
class PeerClosedError : public Error {
  public:
    using Error::Error;
};

/// No such connection, none accepted yet, or the endpoint is not up.
class NoConnectionError : public Error {
  public:
    using Error::Error;
};

/// What a server listens with.
struct ServerOptions {
    std::string name = "server";  ///< for messages and the traffic log
    std::string host = "localhost";
    std::uint16_t port = 0;  ///< 0: one that is free
    int backlog = 128;       ///< connections that wait for accept(2)
    std::optional<TlsOptions> tls;
};

/// Listens from listen() to close(). Every call is safe from several threads.
class TcpServer {
  public:
    /// \p loop must outlive it. \p traffic may be null. Throws TlsError.
    TcpServer(IoLoop& loop, ServerOptions options, std::shared_ptr<TrafficLog> traffic = {});
    ~TcpServer();
    TcpServer(const TcpServer&) = delete;
    TcpServer& operator=(const TcpServer&) = delete;

    /// Takes the port. Throws ResolveError, SystemError saying who has the port, if it is taken.
    void bind();
    /// Accepts connections from now on. Throws SystemError.
    void listen();
    /// Closes the port and all connections; idempotent.
    void close();
    /// Closes all connections and accepts no more, but lets go of the port only when one more client has
    /// come, whose connection ends at once. So does Testplan's server, and scripts connect to what they have
    /// just stopped. close() and the destructor still close it.
    void retire();
    bool listening() const;

    const std::string& host() const;
    /// The address that it is bound to, empty before bind().
    std::string ip() const;
    std::uint16_t port() const;
    /// The listening socket, -1 if there is none.
    int fd() const;

    /// The number of the next connection in the order of their arrival; nothing if none comes in time.
    std::optional<std::size_t> accept(const Deadline& deadline);
    /// Why the last connection that failed its TLS handshake did; empty if none has.
    std::string refusal() const;
    /// How many came, how many of them were accepted.
    std::size_t arrived() const;
    std::size_t accepted() const;
    void close_connection(std::size_t index);

    /// Exactly \p size bytes of connection \p index, by default the last accepted one. Throws TimeoutError
    /// (what has come stays for the next call), PeerClosedError, NoConnectionError, SystemError.
    std::string receive(std::size_t size, std::optional<std::size_t> index, const Deadline& deadline);
    /// What has come, at most \p size bytes, without waiting; empty after the peer's end. Nothing if nothing
    /// has come.
    std::optional<std::string> receive_some(std::size_t size, std::optional<std::size_t> index);
    /// Throws TimeoutError, PeerClosedError, NoConnectionError, SystemError.
    void send(std::string_view bytes, std::optional<std::size_t> index, const Deadline& deadline);

  private:
    struct State;
    struct Connection;
    struct Handshake;
    std::shared_ptr<Connection> connection(std::optional<std::size_t> index) const;
    std::shared_ptr<State> state_;
};

/// What a client connects with.
struct ClientOptions {
    std::string name = "client";
    std::string host;
    std::uint16_t port = 0;
    /// The local address and port that it takes, if any.
    std::optional<std::pair<std::string, std::uint16_t>> interface;
    std::optional<TlsOptions> tls;
};

/// A connection that can be closed and made again. Every call is safe from several threads.
class TcpClient {
  public:
    /// Throws TlsError.
    explicit TcpClient(ClientOptions options, std::shared_ptr<TrafficLog> traffic = {});

    /// Throws ResolveError, TimeoutError, SystemError (nobody listens there, the interface is not there),
    /// TlsError.
    void connect(const Deadline& deadline);
    void close();
    bool connected() const;
    /// Its own address and port. Throws NoConnectionError.
    std::pair<std::string, std::uint16_t> address() const;

    /// Waits for what comes and returns at most \p size bytes of it; empty after the peer's end. Throws
    /// TimeoutError, NoConnectionError, SystemError.
    std::string receive(std::size_t size, const Deadline& deadline);
    /// Exactly \p size bytes. Throws PeerClosedError, too.
    std::string receive_exactly(std::size_t size, const Deadline& deadline);
    /// All of \p bytes. Returns the time of the sending in microseconds since 1970. Throws TimeoutError,
    /// PeerClosedError, NoConnectionError, SystemError.
    double send(std::string_view bytes, const Deadline& deadline);

  private:
    struct Socket;
    std::shared_ptr<Socket> socket() const;
    void take(UniqueFd fd, const Deadline& deadline);

    ClientOptions options_;
    std::shared_ptr<const TlsContext> tls_;
    std::shared_ptr<TrafficLog> traffic_;
    mutable std::mutex mutex_;
    std::shared_ptr<Socket> socket_;
};

/// A port as users write it: a number, or a service's name of /etc/services. Throws Error.
std::uint16_t port_number(const std::string& port);

}  // namespace vt::driver
