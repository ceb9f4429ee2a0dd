// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/driver_api.hpp"

#include "runner/env/test_context.hpp"
#include "runner/harness/driver/kinds.hpp"
#include "runner/harness/driver/process_driver.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>

namespace vt::api {
namespace {

using EnvironmentPtr = std::shared_ptr<driver::Environment>;

/// \p environment is not owned by what it owns.
driver::Hook hook_of(const EnvironmentPtr& environment, DriverHook hook) {
    if (!hook) {
        return {};
    }
    return [weak = std::weak_ptr(environment), hook = std::move(hook)](driver::Driver& driver) {
        hook(Driver(weak.lock(), driver));
    };
}

std::function<bool(driver::Driver&)> check_of(const EnvironmentPtr& environment,
                                              std::function<bool(const Driver&)> check) {
    if (!check) {
        return {};
    }
    return [weak = std::weak_ptr(environment), check = std::move(check)](driver::Driver& driver) {
        return check(Driver(weak.lock(), driver));
    };
}

driver::Settings settings_of(const EnvironmentPtr& environment, DriverOptions options) {
    driver::Settings settings;
    settings.name = std::move(options.name);
    settings.after = std::move(options.after);
    settings.timeout = options.timeout;
    for (const std::string& pattern : options.log_regexps) {
        driver::Expression expression;
        expression.pattern = pattern;
        settings.log_expressions.push_back(expression);
    }
    settings.install_files = std::move(options.install_files);
    settings.auto_start = options.auto_start;
    settings.path_cleanup = options.path_cleanup;
    settings.error_log_lines = options.error_log_lines;
    settings.pre_start = hook_of(environment, std::move(options.pre_start));
    settings.post_start = hook_of(environment, std::move(options.post_start));
    settings.pre_stop = hook_of(environment, std::move(options.pre_stop));
    settings.post_stop = hook_of(environment, std::move(options.post_stop));
    return settings;
}

driver::Parts parts_of(const EnvironmentPtr& environment, DriverParts given) {
    driver::Parts parts;
    parts.starting = hook_of(environment, std::move(given.starting));
    parts.started_check = check_of(environment, std::move(given.started_check));
    parts.stopping = hook_of(environment, std::move(given.stopping));
    parts.stopped_check = check_of(environment, std::move(given.stopped_check));
    parts.pausing = hook_of(environment, std::move(given.pausing));
    parts.resuming = hook_of(environment, std::move(given.resuming));
    parts.aborting = hook_of(environment, std::move(given.aborting));
    if (given.value) {
        parts.value = [value = std::move(given.value)](const driver::Driver&, const std::string& name) {
            return value(name);
        };
    }
    parts.logs = std::move(given.logs);
    return parts;
}

std::optional<driver::TlsTexts> tls_of(const std::optional<TlsFiles>& files) {
    if (!files) {
        return std::nullopt;
    }
    return driver::TlsTexts{files->certificate, files->key, files->ca, files->server_name};
}

}  // namespace

// Driver

const std::string& Driver::name() const {
    return impl_->name();
}

std::string Driver::status() const {
    return impl_->status().current();
}

const std::filesystem::path& Driver::run_path() const {
    return impl_->run_path();
}

void Driver::start() const {
    impl_->start();
}

void Driver::stop() const {
    impl_->stop();
}

void Driver::pause() const {
    impl_->pause();
}

void Driver::resume() const {
    impl_->resume();
}

void Driver::restart() const {
    impl_->restart();
}

void Driver::abort() const {
    impl_->abort();
}

void Driver::register_failover(DriverParts parts) const {
    impl_->register_failover(parts_of(environment_, std::move(parts)));
}

const std::map<std::string, std::string>& Driver::extracts() const {
    return impl_->extracts();
}

std::optional<std::string> Driver::value(const std::string& name) const {
    return impl_->value(name);
}

std::string Driver::resolve(const std::string& text) const {
    return impl_->resolve(text);
}

std::string Driver::error_log() const {
    return impl_->error_log();
}

// TcpServer

const std::string& TcpServer::host() const {
    return endpoint_().host();
}

std::uint16_t TcpServer::port() const {
    return endpoint_().port();
}

std::string TcpServer::certificate() const {
    const auto found = driver_.value("certificate");
    if (!found) {
        throw Error(driver_.name() + " has no certificate: it is started without TLS, or not at all");
    }
    return *found;
}

std::optional<std::size_t> TcpServer::accept(Seconds timeout) const {
    return endpoint_().accept(Deadline::after(timeout));
}

std::string TcpServer::receive(std::size_t size, std::optional<std::size_t> connection,
                               Seconds timeout) const {
    return endpoint_().receive(size, connection, Deadline::after(timeout));
}

std::optional<std::string> TcpServer::receive_some(std::size_t size,
                                                   std::optional<std::size_t> connection) const {
    return endpoint_().receive_some(size, connection);
}

void TcpServer::send(std::string_view bytes, std::optional<std::size_t> connection, Seconds timeout) const {
    endpoint_().send(bytes, connection, Deadline::after(timeout));
}

void TcpServer::close_connection(std::size_t connection) const {
    endpoint_().close_connection(connection);
}

// TcpClient

void TcpClient::connect(Seconds timeout) const {
    endpoint_().connect(Deadline::after(timeout));
}

void TcpClient::close() const {
    endpoint_().close();
}

void TcpClient::reconnect(Seconds timeout) const {
    close();
    connect(timeout);
}

bool TcpClient::connected() const {
    return endpoint_().connected();
}

std::pair<std::string, std::uint16_t> TcpClient::address() const {
    return endpoint_().address();
}

std::string TcpClient::receive(std::size_t size, Seconds timeout) const {
    return endpoint_().receive(size, Deadline::after(timeout));
}

std::string TcpClient::receive_exactly(std::size_t size, Seconds timeout) const {
    return endpoint_().receive_exactly(size, Deadline::after(timeout));
}

double TcpClient::send(std::string_view bytes, Seconds timeout) const {
    return endpoint_().send(bytes, Deadline::after(timeout));
}

// Program

struct Program::Impl {
    driver::ProcessDriver process;
};

std::optional<pid_t> Program::pid() const {
    return impl_->process.pid();
}

bool Program::running() const {
    return impl_->process.running();
}

void Program::write(std::string_view bytes, Seconds timeout) const {
    impl_->process.write(bytes, Deadline::after(timeout));
}

// Drivers

struct Drivers::Impl {
    explicit Impl(const TestContext& context)
        : title(std::filesystem::path(context.name).filename().native()),
          logdir(context.logdir),
          environment(std::make_shared<driver::Environment>(context.logdir / "drivers")) {}

    ~Impl() {
        try {
            stop();
        } catch (const std::exception& error) {
            log::error("{}", error.what());
        }
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void stop() {
        std::string failure;
        try {
            environment->stop();
        } catch (const Error& error) {
            failure = error.what();
        }
        auto name = title;
        std::replace(name.begin(), name.end(), '/', '_');
        try {
            write_file_atomically(logdir / (name + ".drivers.timeline.svg"), environment->timeline(title));
        } catch (const Error& error) {
            log::warning("the drivers' timeline cannot be written: {}", error.what());
        }
        if (!failure.empty()) {
            throw Error(failure);
        }
    }

    std::string title;
    std::filesystem::path logdir;
    EnvironmentPtr environment;
};

Drivers::Drivers(Test& test) : impl_(std::make_shared<Impl>(test.impl())) {}

TcpServer Drivers::tcp_server(DriverOptions options, TcpServerOptions server) {
    driver::ServerTexts texts{std::move(server.host), std::move(server.port), server.backlog,
                              tls_of(server.tls)};
    const auto made = add_tcp_server(*impl_->environment, settings_of(impl_->environment, std::move(options)),
                                     std::move(texts));
    return {Driver(impl_->environment, made.driver()), [made]() -> driver::TcpServer& { return *made; }};
}

TcpClient Drivers::tcp_client(DriverOptions options, TcpClientOptions client) {
    driver::ClientTexts texts{std::move(client.host), std::move(client.port), std::move(client.interface),
                              client.connect_at_start, tls_of(client.tls)};
    const auto made = add_tcp_client(*impl_->environment, settings_of(impl_->environment, std::move(options)),
                                     std::move(texts));
    return {Driver(impl_->environment, made.driver()), [made]() -> driver::TcpClient& { return *made; }};
}

Program Drivers::program(DriverOptions options, ProgramOptions program) {
    driver::ProcessTexts texts{std::move(program.argv), std::move(program.environment), program.stop_signal,
                               program.grace, program.exit_status};
    auto made = add_process(*impl_->environment, settings_of(impl_->environment, std::move(options)),
                            std::move(texts));
    Driver driver(impl_->environment, made.driver());
    return {std::move(driver), std::make_shared<Program::Impl>(Program::Impl{std::move(made)})};
}

Driver Drivers::add(DriverOptions options, DriverParts parts) {
    auto made = std::make_unique<driver::Driver>(settings_of(impl_->environment, std::move(options)),
                                                 parts_of(impl_->environment, std::move(parts)));
    return {impl_->environment, impl_->environment->add(std::move(made))};
}

Driver Drivers::get(const std::string& name) const {
    return {impl_->environment, impl_->environment->get(name)};
}

std::optional<std::string> Drivers::value(const std::string& name) const {
    return impl_->environment->value(name);
}

void Drivers::start() {
    impl_->environment->start();
}

void Drivers::stop() {
    impl_->stop();
}

}  // namespace vt::api
