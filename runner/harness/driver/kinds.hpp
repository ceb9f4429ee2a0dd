// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Ready-made drivers: TCP server and client (programs: process_driver.hpp). What a native test includes for
/// drivers.
///
///     vt::driver::Environment env(test.outputdir());
///     auto server = add_tcp_server(env, {.name = "server"});
///     auto client = add_tcp_client(env, {.name = "client", .after = {"server"}},
///                                  {.host = "{{server.host}}", .port = "{{server.port}}"});
///     env.start();
///     client->send("Hello", soon);
///     server->accept(soon);
#pragma once

#include "runner/harness/driver/driver.hpp"
#include "runner/harness/driver/tcp.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace vt::driver {

/// A driver with its endpoint, which is there while the driver is up. Cheap to copy; the environment owns the
/// driver.
template <typename Endpoint>
class EndpointDriver {
  public:
    EndpointDriver(Driver& driver, std::shared_ptr<std::shared_ptr<Endpoint>> endpoint)
        : driver_(&driver), endpoint_(std::move(endpoint)) {}

    Driver& driver() const { return *driver_; }
    /// Throws NoConnectionError before the driver has started.
    Endpoint& operator*() const {
        if (!*endpoint_) {
            throw NoConnectionError(driver_->name() + " is not started: it has no connections yet");
        }
        return **endpoint_;
    }
    Endpoint* operator->() const { return &**this; }

  private:
    Driver* driver_;
    std::shared_ptr<std::shared_ptr<Endpoint>> endpoint_;
};

using ServerDriver = EndpointDriver<TcpServer>;
using ClientDriver = EndpointDriver<TcpClient>;

/// Paths of TLS files, see TlsOptions.
struct TlsTexts {
    std::string certificate;  ///< a server's; empty: one that it makes in its run path
    std::string key;
    std::string ca;
    std::string server_name;
};

/// Texts may have {{names}}, which are resolved at the start.
struct ServerTexts {
    std::string host = "localhost";
    std::string port = "0";  ///< 0: one that is free
    int backlog = 128;
    std::optional<TlsTexts> tls;
};

/// A server. Its values: host, ip, port, and with TLS certificate (the file). What went over its connections
/// is in `traffic` in its run path. Throws Error for a name that is taken.
ServerDriver add_tcp_server(Environment& environment, Settings settings, ServerTexts texts = {});

/// Texts may have {{names}}, which are resolved at the start.
struct ClientTexts {
    std::string host;
    std::string port;
    std::optional<std::pair<std::string, std::uint16_t>> interface;  ///< the local address and port it takes
    bool connect_at_start = true;
    std::optional<TlsTexts> tls;
};

/// A client. Its values: host, port (its own), server_host, server_port. Throws Error for a name that is
/// taken.
ClientDriver add_tcp_client(Environment& environment, Settings settings, ClientTexts texts);

}  // namespace vt::driver
