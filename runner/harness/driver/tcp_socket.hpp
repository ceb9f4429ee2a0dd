// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What server and client do with a connected socket, and with names.
#pragma once

#include "runner/harness/driver/tcp.hpp"
#include "runner/harness/driver/tls.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>

namespace vt::driver {

/// A socket address with its length.
struct Address {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
    /// "127.0.0.1", 80.
    std::pair<std::string, std::uint16_t> text() const;
};

/// The addresses of \p host, IPv4 first. Throws ResolveError; \p who begins its text.
std::vector<Address> resolve(const std::string& who, const std::string& host, std::uint16_t port);

/// The address that \p fd is bound to.
Address bound_to(int fd);

/// A connected, non-blocking socket. Readers wait for each other, and so do writers.
class Stream {
  public:
    /// \p who is for messages and the log: "server[0]".
    /// \p tls, if there is one, has done its handshake on \p fd.
    Stream(UniqueFd fd, std::string who, std::shared_ptr<TrafficLog> traffic,
           std::unique_ptr<TlsSession> tls = {});

    /// At most \p size bytes, waiting until something comes; empty at the peer's end.
    std::string receive(std::size_t size, const Deadline& deadline);
    std::string receive_exactly(std::size_t size, const Deadline& deadline);
    std::optional<std::string> receive_some(std::size_t size);
    void send(std::string_view bytes, const Deadline& deadline);
    /// Ends the connection; who waits in it is woken.
    void shut_down();

    int fd() const { return fd_.get(); }
    const std::string& who() const { return who_; }

  private:
    /// Reads once; bytes is -1 if nothing is there. Throws SystemError, but a reset counts as the end.
    TlsSession::Step read_once(char* into, std::size_t size);
    void await_bytes(short events, const Deadline& deadline, const std::string& wanted);
    void send_by_tls(std::string_view bytes, const Deadline& deadline);

    UniqueFd fd_;
    std::string who_;
    std::shared_ptr<TrafficLog> traffic_;
    std::mutex reading_;
    std::mutex writing_;
    std::unique_ptr<TlsSession> tls_;
    std::string kept_;  ///< the begin of a message whose rest did not come in time
};

}  // namespace vt::driver
