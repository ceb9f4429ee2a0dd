// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/tcp.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/support/file.hpp"

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace vt::driver {
namespace {

Deadline soon() {
    return Deadline::after(Seconds{30});
}

struct Pair {
    explicit Pair(std::shared_ptr<TrafficLog> traffic = {}) : server(loop, {}, traffic), log(traffic) {
        server.bind();
        server.listen();
    }
    std::unique_ptr<TcpClient> client(const std::string& name = "client") {
        ClientOptions options;
        options.name = name;
        options.host = "localhost";
        options.port = server.port();
        auto made = std::make_unique<TcpClient>(options, log);
        made->connect(soon());
        return made;
    }

    IoLoop loop;
    TcpServer server;
    std::shared_ptr<TrafficLog> log;
};

}  // namespace

TEST_CASE("messages go both ways, and the record of them has both") {
    const TempDirectory place("traffic");
    const auto traffic = std::make_shared<TrafficLog>(place.path() / "traffic");
    {
        Pair pair(traffic);
        const auto client = pair.client();
        CHECK(pair.server.accept(soon()) == 0);
        client->send("Hello", soon());
        CHECK(pair.server.receive(5, {}, soon()) == "Hello");
        pair.server.send(std::string("W\n\x01", 3), {}, soon());
        CHECK(client->receive(100, soon()) == std::string("W\n\x01", 3));
        CHECK(client->address().first == "127.0.0.1");
    }
    traffic->flush();
    const std::string text = read_file(place.path() / "traffic");
    CHECK(text.find("client -> 5 bytes: 48 65 6c 6c 6f \"Hello\"\n") != std::string::npos);
    CHECK(text.find("server[0] <- 5 bytes: 48 65 6c 6c 6f \"Hello\"\n") != std::string::npos);
    CHECK(text.find("\"W\\n\\x01\"") != std::string::npos);
    CHECK(text.at(19) == '.');
    CHECK(text.at(26) == ' ');
}

TEST_CASE("connections are numbered as they came, and the last accepted is the default") {
    Pair pair;
    CHECK_FALSE(pair.server.accept(Deadline::after(Seconds{0})));
    CHECK_THROWS_AS(pair.server.send("x", {}, soon()), NoConnectionError);
    const auto first = pair.client("first");
    CHECK(pair.server.accept(soon()) == 0);
    const auto second = pair.client("second");
    CHECK(pair.server.accept(soon()) == 1);
    pair.server.send("2", {}, soon());
    pair.server.send("1", 0, soon());
    CHECK(first->receive(10, soon()) == "1");
    CHECK(second->receive(10, soon()) == "2");
    pair.server.close_connection(1);
    CHECK(second->receive(10, soon()).empty());
    CHECK_THROWS_AS(pair.server.send("x", {}, soon()), NoConnectionError);
    CHECK_THROWS_AS(pair.server.close_connection(1), NoConnectionError);
    first->close();
    CHECK_THROWS_AS(first->send("x", soon()), NoConnectionError);
    first->connect(soon());
    CHECK(pair.server.accept(soon()) == 2);
    CHECK(pair.server.arrived() == 3);
}

TEST_CASE("without waiting there may be nothing; a message that is not whole stays for later") {
    Pair pair;
    const auto client = pair.client();
    pair.server.accept(soon());
    CHECK_FALSE(pair.server.receive_some(1024, {}));
    client->send("abc", soon());
    CHECK_THROWS_AS(pair.server.receive(5, {}, Deadline::after(Seconds{0.05})), TimeoutError);
    client->send("de", soon());
    CHECK(pair.server.receive(5, {}, soon()) == "abcde");
    client->send("fg", soon());
    client->close();
    CHECK_THROWS_WITH_AS(pair.server.receive(5, {}, soon()),
                         "server[0]: the connection was closed by its peer after 2 of 5 bytes: \"fg\"",
                         PeerClosedError);
    CHECK(pair.server.receive_some(10, {}) == "");
}

TEST_CASE("bad input is answered with sentences") {
    Pair pair;
    ServerOptions taken;
    taken.port = pair.server.port();
    TcpServer second(pair.loop, taken);
    CHECK_THROWS_WITH_AS(second.bind(), doctest::Contains("which somebody else has"), SystemError);
    ServerOptions nowhere;
    nowhere.host = "no-such-host.invalid";
    TcpServer third(pair.loop, nowhere);
    CHECK_THROWS_WITH_AS(
        third.bind(), doctest::Contains("the name 'no-such-host.invalid' cannot be resolved"), ResolveError);
    const std::uint16_t port = pair.server.port();
    pair.server.close();
    ClientOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    TcpClient client(options);
    CHECK_THROWS_WITH_AS(client.connect(soon()), doctest::Contains("where nobody listens"), SystemError);
    CHECK_THROWS_AS(port_number("no such service"), Error);
    CHECK_THROWS_AS(port_number("65536"), Error);
    CHECK(port_number("80") == 80);
}

TEST_CASE("a client takes the interface that it is told") {
    Pair pair;
    ClientOptions options;
    options.host = "127.0.0.1";
    options.port = pair.server.port();
    options.interface = std::pair<std::string, std::uint16_t>("127.0.0.2", 0);
    TcpClient client(options);
    client.connect(soon());
    CHECK(client.address().first == "127.0.0.2");
    options.interface = std::pair<std::string, std::uint16_t>("192.0.2.1", 0);
    TcpClient wrong(options);
    CHECK_THROWS_AS(wrong.connect(soon()), SystemError);
}

TEST_CASE("a wait ends when the connection is closed from another thread") {
    Pair pair;
    const auto client = pair.client();
    pair.server.accept(soon());
    std::thread closer([&] { client->close(); });
    CHECK_THROWS_AS(pair.server.receive(1, {}, soon()), PeerClosedError);
    closer.join();
    std::thread stopper([&] { pair.server.close(); });
    CHECK_FALSE(pair.server.accept(soon()));
    stopper.join();
}

TEST_CASE("a retired server lets one more client in and ends its connection") {
    Pair pair;
    const auto client = pair.client();
    pair.server.accept(soon());
    pair.server.retire();
    CHECK(client->receive(1, soon()).empty());
    CHECK(pair.client()->receive(1, soon()).empty());
    CHECK_FALSE(pair.server.accept(soon()));
    CHECK(pair.server.arrived() == 1);
    CHECK(pair.server.fd() == -1);
    CHECK_THROWS_AS(pair.client(), SystemError);
}

TEST_CASE("two hundred clients at once are served in their order") {
    Pair pair;
    std::vector<std::unique_ptr<TcpClient>> clients;
    for (std::size_t i = 0; i < 200; ++i) {
        clients.push_back(pair.client());
        CHECK(pair.server.accept(soon()) == i);
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i]->send(std::to_string(i) + ";", soon());
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const std::string wanted = std::to_string(i) + ";";
        CHECK(pair.server.receive(wanted.size(), i, soon()) == wanted);
        pair.server.send(wanted, i, soon());
        CHECK(clients[i]->receive_exactly(wanted.size(), soon()) == wanted);
    }
}

}  // namespace vt::driver
