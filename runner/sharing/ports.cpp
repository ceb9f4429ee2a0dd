// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/ports.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>
#include <cstddef>
#include <random>

#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace vt {

namespace {

/// Whether nobody listens on \p port of any address that would keep QEMU from binding 127.0.0.1.
bool bindable(std::uint16_t port) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        throw SystemError("make a socket", errno);
    }
    // As QEMU binds: a port in TIME_WAIT is good enough.
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(fd.get(), 1) == 0;
}

/// The socket that stands for \p what; none if another has it.
UniqueFd lease(const std::string& what) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) {
        throw SystemError("make a socket", errno);
    }
    // A name that begins with a zero byte is abstract (unix(7)), and as long as the address says.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto name = "avocado-vt/" + what;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        if (errno != EADDRINUSE) {
            throw SystemError("lease " + what, errno);
        }
        fd.reset();
    }
    return fd;
}

std::uint32_t random_number() {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
        number = std::random_device{}();
    }
    return number;
}

}  // namespace

PortLease PortLease::take(std::uint16_t first, std::uint16_t last) {
    if (first == 0 || last < first) {
        throw Error(fmt::format("no ports from {} to {} to choose from", first, last));
    }
    const std::uint32_t count = std::uint32_t{last} - first + 1;
    // Starting anywhere keeps tasks that start together from queueing for the same numbers.
    const std::uint32_t start = random_number() % count;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto port = static_cast<std::uint16_t>(first + (start + i) % count);
        if (auto name = lease(fmt::format("port/{}", port)); name && bindable(port)) {
            return {port, std::move(name)};
        }
    }
    throw Error(
        fmt::format("no port from {} to {} of 127.0.0.1 is free; end what listens there", first, last));
}

MacAddress MacAddress::random() {
    const std::uint32_t a = random_number();
    const std::uint32_t b = random_number();
    return {fmt::format("9a:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", a & 0xff, (a >> 8) & 0xff, (a >> 16) & 0xff,
                        (a >> 24) & 0xff, b & 0xff)};
}

MacAddress MacAddress::from(std::string_view seed) {
    const auto digest = content_digest(seed);
    std::string text = "9a";
    for (std::size_t i = 0; i < 5; ++i) {
        text += ":" + digest.substr(2 * i, 2);
    }
    return parse(text);
}

MacLease MacLease::take(const std::string& seed) {
    for (int number = 0;; ++number) {
        auto mac = MacAddress::from(number == 0 ? seed : fmt::format("{} {}", seed, number));
        if (auto name = lease("mac/" + mac.text)) {
            return {std::move(mac), std::move(name)};
        }
    }
}

MacAddress MacAddress::parse(std::string_view text) {
    bool good = text.size() == 17;
    for (std::size_t i = 0; good && i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        good = i % 3 == 2 ? c == ':' : std::isxdigit(c) != 0;
    }
    if (!good) {
        throw Error(fmt::format("\"{}\" is no MAC address; wanted is the form 9a:00:11:22:33:44", text));
    }
    std::string lower(text);
    for (char& c : lower) {
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return {lower};
}

}  // namespace vt
