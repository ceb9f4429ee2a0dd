// SPDX-License-Identifier: GPL-2.0-or-later
// Drivers, as a C++ test has them: a server and a client that finds it, once in the clear and once by TLS, a
// program that is told their values and whose log is read for its own, and a driver of the test's own kind.
#include "runner/native/driver_api.hpp"

#include <fstream>
#include <string>
#include <utility>

namespace {

using vt::api::TcpClient;
using vt::api::TcpServer;

/// A server and a client, in the clear or by TLS with a certificate that the server makes.
std::pair<TcpServer, TcpClient> pair_of(vt::api::Drivers& drivers, const std::string& name, bool tls) {
    vt::api::TcpServerOptions server;
    vt::api::TcpClientOptions client;
    client.host = "{{" + name + "_server.host}}";
    client.port = "{{" + name + "_server.port}}";
    if (tls) {
        server.tls = vt::api::TlsFiles{};
        client.tls = vt::api::TlsFiles{};
        client.tls->ca = "{{" + name + "_server.certificate}}";
    }
    return {drivers.tcp_server({.name = name + "_server"}, server),
            drivers.tcp_client({.name = name + "_client", .after = {name + "_server"}}, client)};
}

void talk(vt::api::Test& test, const TcpServer& server, const TcpClient& client, const std::string& word) {
    if (server.accept() != 0) {
        test.fail("the client is not the first connection of " + server.driver().name());
    }
    client.send("Hello");
    const std::string heard = server.receive(5);
    server.send(word);
    const std::string answer = client.receive_exactly(word.size());
    if (heard != "Hello" || answer != word) {
        test.fail("'" + heard + "' was heard, and '" + answer + "' answered");
    }
}

}  // namespace

VT_TEST(test, params, env) {
    vt::api::Drivers drivers(test);
    const auto clear = pair_of(drivers, "clear", false);
    const auto secret = pair_of(drivers, "secret", true);

    std::ofstream(test.workdir() / "app.cfg") << "port={{clear_server.port}}\n";
    vt::api::DriverOptions options;
    options.name = "app";
    options.after = {"clear_server"};
    options.install_files = {{test.workdir() / "app.cfg", "etc/app.cfg"}};
    options.log_regexps = {"told of (?P<told>\\d+)"};
    options.timeout = vt::Seconds(60);
    vt::api::ProgramOptions program;
    program.argv = {params.get("shell_program", "/bin/sh"), "-c",
                    ". etc/app.cfg; echo told of $port, $WORD; exec cat"};
    program.environment = {{"WORD", "{{name}}"}};
    const auto app = drivers.program(options, program);

    vt::api::DriverParts parts;
    parts.starting = [](const vt::api::Driver& self) {
        std::ofstream(self.run_path() / "log") << "ready as " << self.name() << "\n";
    };
    parts.logs = {"log"};
    parts.value = [](const std::string& name) {
        return name == "colour" ? std::optional<std::string>("green") : std::nullopt;
    };
    const auto own = drivers.add({.name = "own", .log_regexps = {"ready as (?P<who>\\w+)"}}, parts);

    drivers.start();
    talk(test, clear.first, clear.second, "World");
    talk(test, secret.first, secret.second, "Secret");
    const auto told = drivers.value("app.told");
    test.log("the program was told of port {}, the server has {}", told.value_or("none"), clear.first.port());
    if (told != std::to_string(clear.first.port()) || own.extracts().at("who") != "own" ||
        drivers.value("own.colour") != "green") {
        test.fail("the values of the drivers are not theirs");
    }
    clear.first.driver().restart();
    clear.second.driver().restart();
    talk(test, clear.first, clear.second, "again");
    drivers.stop();
    if (app.running() || own.status() != "STOPPED") {
        test.fail("a driver is up after the stop");
    }
    test.log("by TLS with {}", secret.first.certificate());
}
