// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Drivers for tests written in C++: what a test needs running beside it; goes with
/// runner/native/test_api.hpp.
///
///     vt::api::Drivers drivers(test);
///     auto server = drivers.tcp_server({.name = "server"});
///     auto client = drivers.tcp_client({.name = "client", .after = {"server"}},
///                                      {.host = "{{server.host}}", .port = "{{server.port}}"});
///     drivers.start();
///     client.send("Hello");
///     server.accept();
///
/// Handles on the runner's own objects, without state of their own. Texts of options may have {{names}} of
/// other drivers' values, which are resolved when the driver starts. Everything ends with the last copy of
/// Drivers, however the test does. A wait takes seconds and ends in vt::TimeoutError.
#pragma once

#include "runner/native/test_api.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vt::driver {
class Driver;
class Environment;
class TcpClient;
class TcpServer;
}  // namespace vt::driver

namespace vt::api {

class Driver;

/// Called with the driver.
using DriverHook = std::function<void(const Driver& driver)>;

/// What every driver can be told.
struct DriverOptions {
    std::string name{};                ///< letters, digits and _
    std::vector<std::string> after{};  ///< names of drivers that must have started before
    Seconds timeout{300};              ///< for its start, and for its end
    /// What lines of its log have to match from their beginning before it counts as started (PCRE2, which
    /// reads Python's); named groups go to extracts().
    std::vector<std::string> log_regexps{};
    /// Source, and target: relative to the run path. {{names}} are filled in, in both and in the content.
    std::vector<std::pair<std::filesystem::path, std::filesystem::path>> install_files{};
    bool auto_start = true;            ///< whether Drivers::start() starts it
    bool path_cleanup = true;          ///< empty the run path before
    std::size_t error_log_lines = 10;  ///< of its logs in a message
    DriverHook pre_start{};
    DriverHook post_start{};
    DriverHook pre_stop{};
    DriverHook post_stop{};
};

/// A driver of a kind of one's own: what is empty does nothing; an exception says what went wrong.
struct DriverParts {
    DriverHook starting{};
    std::function<bool(const Driver& driver)> started_check{};
    DriverHook stopping{};
    std::function<bool(const Driver& driver)> stopped_check{};
    DriverHook pausing{};
    DriverHook resuming{};
    DriverHook aborting{};  ///< stopping if empty
    /// A value that others may name: {{name.value}}; nothing if there is none.
    std::function<std::optional<std::string>(const std::string& value)> value{};
    std::vector<std::filesystem::path>
        logs{};  ///< relative to the run path; the first is the one that is read
};

/// Files for TLS, in PEM format.
struct TlsFiles {
    std::string certificate{};  ///< a server's; empty: one that it makes, see TcpServer::certificate()
    std::string key{};          ///< empty: in the certificate's file
    /// Who signed the other end's: a server with one wants clients to show theirs; a client without one
    /// trusts what the system does.
    std::string ca{};
    std::string server_name{};  ///< whom a server's certificate has to name; empty: its host
};

struct TcpServerOptions {
    std::string host = "localhost";
    std::string port = "0";  ///< 0: one that is free
    int backlog = 128;       ///< connections that may wait for the kernel's accept
    std::optional<TlsFiles> tls{};
};

struct TcpClientOptions {
    std::string host{};
    std::string port{};
    std::optional<std::pair<std::string, std::uint16_t>> interface {
    };  ///< the local address and port it takes
    bool connect_at_start = true;
    std::optional<TlsFiles> tls{};
};

/// A program's standard output and error are the files `stdout` and `stderr` in its run path, which are its
/// logs; it works there.
struct ProgramOptions {
    std::vector<std::string> argv{};
    std::map<std::string, std::string> environment{};
    int stop_signal = 15;
    Seconds grace{5};                  ///< then it gets SIGKILL
    std::optional<int> exit_status{};  ///< what its end has to be when it is stopped; empty: anything
};

/// One driver. Cheap to copy.
class Driver {
  public:
    Driver(std::shared_ptr<driver::Environment> environment, driver::Driver& impl)
        : environment_(std::move(environment)), impl_(&impl) {}

    const std::string& name() const;
    /// "STARTED"; see docs/drivers.md. Empty before its first start.
    std::string status() const;
    const std::filesystem::path& run_path() const;
    /// Each throws what went wrong: vt::TimeoutError, vt::Error.
    void start() const;
    void stop() const;
    void pause() const;
    void resume() const;
    void restart() const;
    /// Ends it at once; it cannot be started again.
    void abort() const;
    /// Parts that are tried in the place of its own when it does not start; several in their order.
    void register_failover(DriverParts parts) const;
    /// Named groups of its log's lines.
    const std::map<std::string, std::string>& extracts() const;
    /// Nothing if it has no such value.
    std::optional<std::string> value(const std::string& name) const;
    /// A text with {{names}} as values. Throws vt::Error naming what has none.
    std::string resolve(const std::string& text) const;
    /// The last lines of its logs.
    std::string error_log() const;

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    driver::Driver& impl() const { return *impl_; }

  private:
    std::shared_ptr<driver::Environment> environment_;
    driver::Driver* impl_;
};

/// A server with any number of connections, numbered from 0 as they came; the last accepted one is meant
/// where none is named. Values: host, ip, port, certificate.
class TcpServer {
  public:
    using Endpoint = std::function<driver::TcpServer&()>;
    TcpServer(Driver driver, Endpoint endpoint)
        : driver_(std::move(driver)), endpoint_(std::move(endpoint)) {}

    const Driver& driver() const { return driver_; }
    const std::string& host() const;
    std::uint16_t port() const;
    /// The file of its certificate, for a client's ca. Throws vt::Error without TLS.
    std::string certificate() const;
    /// The number of the next connection; nothing if none comes in time.
    std::optional<std::size_t> accept(Seconds timeout = Seconds(10)) const;
    /// Exactly \p size bytes.
    std::string receive(std::size_t size, std::optional<std::size_t> connection = {},
                        Seconds timeout = Seconds(30)) const;
    /// What has come, at most \p size bytes; empty after the peer's end; nothing if nothing has come.
    std::optional<std::string> receive_some(std::size_t size = 1024,
                                            std::optional<std::size_t> connection = {}) const;
    void send(std::string_view bytes, std::optional<std::size_t> connection = {},
              Seconds timeout = Seconds(30)) const;
    void close_connection(std::size_t connection) const;

  private:
    Driver driver_;
    Endpoint endpoint_;
};

/// A client with one connection. Values: host, port (its own), server_host, server_port.
class TcpClient {
  public:
    using Endpoint = std::function<driver::TcpClient&()>;
    TcpClient(Driver driver, Endpoint endpoint)
        : driver_(std::move(driver)), endpoint_(std::move(endpoint)) {}

    const Driver& driver() const { return driver_; }
    void connect(Seconds timeout = Seconds(30)) const;
    void close() const;
    void reconnect(Seconds timeout = Seconds(30)) const;
    bool connected() const;
    /// Its own address and port.
    std::pair<std::string, std::uint16_t> address() const;
    /// Waits for what comes, at most \p size bytes; empty after the server's end.
    std::string receive(std::size_t size = 1024, Seconds timeout = Seconds(30)) const;
    /// Exactly \p size bytes.
    std::string receive_exactly(std::size_t size, Seconds timeout = Seconds(30)) const;
    /// All of \p bytes. Returns the time of the sending in microseconds since 1970.
    double send(std::string_view bytes, Seconds timeout = Seconds(30)) const;

  private:
    Driver driver_;
    Endpoint endpoint_;
};

/// A program under supervision. Values: pid.
class Program {
  public:
    struct Impl;
    Program(Driver driver, std::shared_ptr<Impl> impl) : driver_(std::move(driver)), impl_(std::move(impl)) {}

    const Driver& driver() const { return driver_; }
    /// Its process id, once it was started.
    std::optional<pid_t> pid() const;
    bool running() const;
    /// Writes to its standard input.
    void write(std::string_view bytes, Seconds timeout = Seconds(30)) const;

  private:
    Driver driver_;
    std::shared_ptr<Impl> impl_;
};

/// Drivers that are started and stopped together. They work in `drivers/` in the test's logdir; a timeline
/// is left in NAME.drivers.timeline.svg.
class Drivers {
  public:
    explicit Drivers(Test& test);

    /// Each throws vt::Error for a name that is taken or is none.
    TcpServer tcp_server(DriverOptions options, TcpServerOptions server = {});
    TcpClient tcp_client(DriverOptions options, TcpClientOptions client);
    Program program(DriverOptions options, ProgramOptions program);
    Driver add(DriverOptions options, DriverParts parts);
    /// Throws vt::Error naming those that are there.
    Driver get(const std::string& name) const;
    /// "driver.value" of one that is up; nothing if there is none.
    std::optional<std::string> value(const std::string& name) const;

    /// Starts all, each as soon as those that it comes after have started, side by side. On a failure what
    /// has started is stopped again. Throws vt::Error with a sentence for each that failed, or naming a
    /// circle.
    void start();
    /// Stops all the other way round, whatever fails. Throws vt::Error with a sentence for each that failed.
    void stop();

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt::api
