// SPDX-License-Identifier: GPL-2.0-or-later
// 10,000 round trips of 64 bytes in one thread: over two sockets with nothing around them, which is what the
// kernel takes and nobody can be faster than; over a server and a client of the drivers, with their record of
// the traffic; and the same by TLS. Seconds each, the best of some tries.
//
//     cmake --build --preset release --target driver_bench && build/release/tests/driver_bench
#include "runner/harness/driver/tcp.hpp"
#include "runner/harness/driver/tls.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/file.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace {

using namespace vt;
using namespace vt::driver;

constexpr int trips = 10000;
constexpr std::size_t message_size = 64;

double best(const std::function<double()>& work) {
    double least = 1e9;
    for (int i = 0; i < 7; ++i) {
        least = std::min(least, work());
    }
    return least;
}

double timed(const std::function<void()>& trip) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < trips; ++i) {
        trip();
    }
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void demand(bool done) {
    if (!done) {
        throw std::runtime_error("a socket does not do what it should");
    }
}

double bare() {
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const raw = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    demand(::bind(listener.get(), raw, size) == 0 && ::listen(listener.get(), 1) == 0 &&
           ::getsockname(listener.get(), raw, &size) == 0);
    const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    demand(::connect(client.get(), raw, size) == 0);
    const UniqueFd server(::accept(listener.get(), nullptr, nullptr));
    const int on = 1;
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::array<char, message_size> message{};
    const auto wanted = static_cast<ssize_t>(message.size());
    return timed([&] {
        demand(::send(client.get(), message.data(), message.size(), 0) == wanted &&
               ::recv(server.get(), message.data(), message.size(), 0) == wanted &&
               ::send(server.get(), message.data(), message.size(), 0) == wanted &&
               ::recv(client.get(), message.data(), message.size(), 0) == wanted);
    });
}

double drivers(bool tls) {
    const TempDirectory place("driver-bench");
    IoLoop loop;
    ServerOptions options;
    ClientOptions client_options;
    if (tls) {
        options.tls = make_certificate(place.path() / "tls", {});
        client_options.tls = TlsOptions{};
        client_options.tls->ca = options.tls->certificate;
    }
    TcpServer server(loop, options, std::make_shared<TrafficLog>(place.path() / "server"));
    server.bind();
    server.listen();
    client_options.host = "localhost";
    client_options.port = server.port();
    TcpClient client(client_options, std::make_shared<TrafficLog>(place.path() / "client"));
    const auto soon = [] { return Deadline::after(Seconds{60}); };
    client.connect(soon());
    demand(server.accept(soon()).has_value());
    const std::string message(message_size, 'x');
    return timed([&] {
        client.send(message, soon());
        server.send(server.receive(message_size, {}, soon()), {}, soon());
        client.receive_exactly(message_size, soon());
    });
}

}  // namespace

int main() {
    fmt::print("sockets {:.3f}\n", best(bare));
    fmt::print("drivers {:.3f}\n", best([] { return drivers(false); }));
    fmt::print("drivers by TLS {:.3f}\n", best([] { return drivers(true); }));
}
