// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/kinds.hpp"

#include "runner/io/io_loop.hpp"

#include <utility>

namespace vt::driver {
namespace {

std::shared_ptr<TrafficLog> traffic_of(const Driver& driver) {
    return std::make_shared<TrafficLog>(driver.run_path() / "traffic");
}

TlsOptions tls_of(const Driver& driver, const TlsTexts& texts) {
    return {driver.resolve(texts.certificate), driver.resolve(texts.key), driver.resolve(texts.ca),
            driver.resolve(texts.server_name)};
}

TlsOptions server_tls_of(const Driver& driver, const TlsTexts& texts, const std::string& host) {
    TlsOptions options = tls_of(driver, texts);
    if (options.certificate.empty()) {
        const TlsOptions own = make_certificate(driver.run_path() / "tls", {host});
        options.certificate = own.certificate;
        options.key = own.key;
    }
    return options;
}

}  // namespace

ServerDriver add_tcp_server(Environment& environment, Settings settings, ServerTexts texts) {
    auto endpoint = std::make_shared<std::shared_ptr<TcpServer>>();
    auto certificate = std::make_shared<std::string>();
    Parts parts;
    parts.starting = [endpoint, certificate, texts = std::move(texts),
                      &loop = environment.loop()](Driver& driver) {
        ServerOptions options;
        options.name = driver.name();
        options.host = driver.resolve(texts.host);
        options.port = port_number(driver.resolve(texts.port));
        options.backlog = texts.backlog;
        if (texts.tls) {
            options.tls = server_tls_of(driver, *texts.tls, options.host);
            *certificate = options.tls->certificate.string();
        }
        endpoint->reset();  // its port may be wanted again
        auto server = std::make_shared<TcpServer>(loop, options, traffic_of(driver));
        server->bind();
        server->listen();
        *endpoint = std::move(server);
    };
    parts.stopping = [endpoint](Driver&) {
        if (*endpoint) {
            (*endpoint)->close();
        }
    };
    parts.value = [endpoint, certificate](const Driver&,
                                          const std::string& value) -> std::optional<std::string> {
        if (!*endpoint) {
            return std::nullopt;
        }
        if (value == "host") {
            return (*endpoint)->host();
        }
        if (value == "ip") {
            return (*endpoint)->ip();
        }
        if (value == "certificate" && !certificate->empty()) {
            return *certificate;
        }
        return value == "port" ? std::optional(std::to_string((*endpoint)->port())) : std::nullopt;
    };
    Driver& driver = environment.add(std::make_unique<Driver>(std::move(settings), std::move(parts)));
    return {driver, endpoint};
}

ClientDriver add_tcp_client(Environment& environment, Settings settings, ClientTexts texts) {
    auto endpoint = std::make_shared<std::shared_ptr<TcpClient>>();
    auto server = std::make_shared<ClientOptions>();
    Parts parts;
    parts.starting = [endpoint, server, texts = std::move(texts)](Driver& driver) {
        server->name = driver.name();
        server->host = driver.resolve(texts.host);
        server->port = port_number(driver.resolve(texts.port));
        server->interface = texts.interface;
        if (texts.tls) {
            server->tls = tls_of(driver, *texts.tls);
        }
        *endpoint = std::make_shared<TcpClient>(*server, traffic_of(driver));
        if (texts.connect_at_start) {
            (*endpoint)->connect(Deadline::after(driver.settings().timeout));
        }
    };
    parts.stopping = [endpoint](Driver&) {
        if (*endpoint) {
            (*endpoint)->close();
        }
    };
    parts.value = [endpoint, server](const Driver&, const std::string& value) -> std::optional<std::string> {
        if (!*endpoint) {
            return std::nullopt;
        }
        if (value == "server_host") {
            return server->host;
        }
        if (value == "server_port") {
            return std::to_string(server->port);
        }
        if ((value == "host" || value == "port") && (*endpoint)->connected()) {
            const auto own = (*endpoint)->address();
            return value == "host" ? own.first : std::to_string(own.second);
        }
        return std::nullopt;
    };
    Driver& driver = environment.add(std::make_unique<Driver>(std::move(settings), std::move(parts)));
    return {driver, endpoint};
}

}  // namespace vt::driver
