// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tls.hpp"

#include "runner/harness/driver/kinds.hpp"
#include "runner/harness/driver/tcp.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/file.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <sys/stat.h>

namespace vt::driver {
namespace {

Deadline soon() {
    return Deadline::after(Seconds{30});
}

/// A server that speaks TLS with a certificate of its own, and whom a client has to trust.
struct Secret {
    explicit Secret(const std::filesystem::path& client_ca = {})
        : place("tls"),
          traffic(std::make_shared<TrafficLog>(place.path() / "traffic")),
          own(make_certificate(place.path() / "server", {"vt.example"})) {
        ServerOptions options;
        options.tls = own;
        options.tls->ca = client_ca;
        server = std::make_unique<TcpServer>(loop, options, traffic);
        server->bind();
        server->listen();
    }
    ClientOptions options(const std::filesystem::path& ca) const {
        ClientOptions options;
        options.host = "localhost";
        options.port = server->port();
        options.tls = TlsOptions{};
        options.tls->ca = ca;
        return options;
    }

    IoLoop loop;
    TempDirectory place;
    std::shared_ptr<TrafficLog> traffic;
    TlsOptions own;
    std::unique_ptr<TcpServer> server;
};

}  // namespace

TEST_CASE("messages go both ways by TLS, and the record has them in the clear") {
    Secret secret;
    TcpClient client(secret.options(secret.own.certificate), secret.traffic);
    client.connect(soon());
    CHECK(secret.server->accept(soon()) == 0);
    CHECK_FALSE(secret.server->receive_some(10, {}));
    client.send("Hello", soon());
    CHECK(secret.server->receive(5, {}, soon()) == "Hello");
    secret.server->send("World", {}, soon());
    CHECK(client.receive(3, soon()) == "Wor");
    CHECK(client.receive_exactly(2, soon()) == "ld");
    CHECK_THROWS_AS(client.receive(1, Deadline::after(Seconds{0.01})), TimeoutError);
    client.send("half", soon());
    client.close();
    CHECK_THROWS_WITH_AS(secret.server->receive(5, {}, soon()),
                         "server[0]: the connection was closed by its peer after 4 of 5 bytes: \"half\"",
                         PeerClosedError);
    secret.traffic->flush();
    const std::string text = read_file(secret.place.path() / "traffic");
    CHECK(text.find("server[0] <- 5 bytes: 48 65 6c 6c 6f \"Hello\"\n") != std::string::npos);
    CHECK(text.find("connected to localhost port ") != std::string::npos);
    CHECK(text.find(" by TLSv1.3, ") != std::string::npos);
}

TEST_CASE("what is on the wire is not what was sent") {
    IoLoop loop;
    TcpServer plain(loop, {});
    plain.bind();
    plain.listen();
    ClientOptions options;
    options.host = "localhost";
    options.port = plain.port();
    options.tls = TlsOptions{};
    TcpClient client(options);
    // A plain server sees the begin of a handshake (record type 22), and answers nothing.
    CHECK_THROWS_WITH_AS(client.connect(Deadline::after(Seconds{0.2})),
                         doctest::Contains("has not answered the TLS handshake"), TimeoutError);
    CHECK(plain.accept(soon()) == 0);
    CHECK(plain.receive(1, {}, soon()) == "\x16");
}

TEST_CASE("long messages go both ways at once") {
    Secret secret;
    TcpClient client(secret.options(secret.own.certificate));
    client.connect(soon());
    secret.server->accept(soon());
    const std::string there(3 << 20, 'a');
    const std::string back(2 << 20, 'b');
    std::thread sender([&] { client.send(there, soon()); });
    std::thread answerer([&] { secret.server->send(back, {}, soon()); });
    std::string received;
    std::thread reader([&] { received = secret.server->receive(there.size(), {}, soon()); });
    CHECK(client.receive_exactly(back.size(), soon()) == back);
    sender.join();
    answerer.join();
    reader.join();
    CHECK(received == there);
}

TEST_CASE("whom a client does not trust it does not talk to") {
    Secret secret;
    const TlsOptions other = make_certificate(secret.place.path() / "other", {});
    TcpClient wrong(secret.options(other.certificate));
    CHECK_THROWS_WITH_AS(wrong.connect(soon()), doctest::Contains("the server's certificate is not accepted"),
                         TlsError);
    TcpClient nobody(secret.options({}));
    CHECK_THROWS_AS(nobody.connect(soon()), TlsError);
    auto named = secret.options(secret.own.certificate);
    named.tls->server_name = "somebody.example";
    TcpClient elsewhere(named);
    CHECK_THROWS_WITH_AS(elsewhere.connect(soon()), doctest::Contains("ostname mismatch"), TlsError);
    named.tls->server_name = "vt.example";
    TcpClient right(named);
    right.connect(soon());
    named.host = "127.0.0.1";
    named.tls->server_name.clear();
    TcpClient by_address(named);
    by_address.connect(soon());
    CHECK(secret.server->accept(soon()) == 0);
    CHECK(secret.server->accept(soon()) == 1);
    CHECK(secret.server->arrived() == 2);
}

TEST_CASE("a server that wants to know its clients refuses those that show nothing") {
    const TempDirectory place("tls");
    const TlsOptions known = make_certificate(place.path() / "client", {});
    Secret secret(known.certificate);
    auto options = secret.options(secret.own.certificate);
    TcpClient nobody(options);
    nobody.connect(soon());  // with TLS 1.3 a client is told by the first that it reads
    CHECK_THROWS_WITH_AS(nobody.receive(1, soon()), doctest::Contains("certificate required"), TlsError);
    options.tls->certificate = known.certificate;
    options.tls->key = known.key;
    TcpClient friendly(options);
    friendly.connect(soon());
    CHECK(secret.server->accept(soon()) == 0);
    friendly.send("x", soon());
    CHECK(secret.server->receive(1, {}, soon()) == "x");
    CHECK(secret.server->refusal().find("did not return a certificate") != std::string::npos);
}

TEST_CASE("who does not speak TLS is refused, and the next is served") {
    Secret secret;
    auto options = secret.options({});
    options.tls.reset();
    TcpClient plain(options);
    plain.connect(soon());
    plain.send("GET / HTTP/1.0\r\n\r\n", soon());
    CHECK_NOTHROW(static_cast<void>(plain.receive(100, soon())));
    TcpClient client(secret.options(secret.own.certificate));
    client.connect(soon());
    CHECK(secret.server->accept(soon()) == 0);
    CHECK(secret.server->refusal().find("does the peer speak TLS?") != std::string::npos);
    TcpClient silent(options);
    silent.connect(soon());
    secret.server->close();
    CHECK(silent.receive(1, soon()).empty());
}

TEST_CASE("files that are no good are named") {
    const TempDirectory place("tls");
    const TlsOptions own = make_certificate(place.path() / "own", {});
    struct stat info {};
    REQUIRE(::stat(own.key.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600U);
    const TlsOptions again = make_certificate(place.path() / "own", {});
    CHECK(again.key == own.key);
    IoLoop loop;
    ServerOptions options;
    options.tls = TlsOptions{};
    CHECK_THROWS_WITH_AS(TcpServer(loop, options), doctest::Contains("needs a certificate"), TlsError);
    options.tls->certificate = place.path() / "nothing.pem";
    CHECK_THROWS_WITH_AS(TcpServer(loop, options), doctest::Contains("nothing.pem cannot be used"), TlsError);
    options.tls = own;
    options.tls->key = make_certificate(place.path() / "other", {}).key;
    CHECK_THROWS_WITH_AS(TcpServer(loop, options), doctest::Contains("key values mismatch"), TlsError);
    ClientOptions client;
    client.tls = TlsOptions{};
    client.tls->ca = own.key;
    CHECK_THROWS_WITH_AS(TcpClient{client}, doctest::Contains("the CA's certificate"), TlsError);
    CHECK_THROWS_AS(make_certificate(place.path() / "own", {"a,DNS:b"}), TlsError);
}

TEST_CASE("drivers: a server makes its certificate, a client finds it by its value") {
    const TempDirectory place("tls");
    Environment env(place.path());
    Settings server_settings;
    server_settings.name = "server";
    ServerTexts server_texts;
    server_texts.tls = TlsTexts{};
    const ServerDriver server = add_tcp_server(env, server_settings, server_texts);
    Settings client_settings;
    client_settings.name = "client";
    client_settings.after = {"server"};
    ClientTexts client_texts;
    client_texts.host = "{{server.host}}";
    client_texts.port = "{{server.port}}";
    client_texts.tls = TlsTexts{};
    client_texts.tls->ca = "{{server.certificate}}";
    const ClientDriver client = add_tcp_client(env, client_settings, client_texts);
    env.start();
    client->send("Hello", soon());
    CHECK(server->accept(soon()) == 0);
    CHECK(server->receive(5, {}, soon()) == "Hello");
    CHECK(env.value("server.certificate") == (place.path() / "server/tls/certificate.pem").string());
    env.stop();
}

}  // namespace vt::driver
