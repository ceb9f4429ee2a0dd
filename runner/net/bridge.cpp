// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/bridge.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/core.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vt {

namespace {

ifreq request_for(const std::string& interface) {
    ifreq request{};
    if (interface.empty() || interface.size() >= IFNAMSIZ) {
        throw Error(fmt::format("\"{}\" is no name of a network interface", interface));
    }
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    return request;
}

}  // namespace

std::optional<std::string> bridge_obstacle(const std::string& bridge) {
    std::error_code error;
    // A name with a slash would leave the directory of interfaces.
    if (bridge.empty() || bridge.find('/') != std::string::npos ||
        !std::filesystem::exists("/sys/class/net/" + bridge + "/bridge", error)) {
        return fmt::format("there is no bridge {}", bridge);
    }
    if (::geteuid() != 0) {
        return "only root may make taps";
    }
    if (::access("/dev/net/tun", R_OK | W_OK) != 0) {
        return "this host has no /dev/net/tun";
    }
    return std::nullopt;
}

void join_bridge(const std::string& bridge, const std::string& tap) {
    const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto port = request_for(bridge);
    port.ifr_ifindex = static_cast<int>(::if_nametoindex(tap.c_str()));
    if (!control || ::ioctl(control.get(), SIOCBRADDIF, &port) != 0) {
        throw SystemError(fmt::format("make {} a port of bridge {}", tap, bridge), errno);
    }
    auto flags = request_for(tap);
    if (::ioctl(control.get(), SIOCGIFFLAGS, &flags) == 0) {
        flags.ifr_flags = static_cast<short>(flags.ifr_flags | IFF_UP);
        if (::ioctl(control.get(), SIOCSIFFLAGS, &flags) == 0) {
            return;
        }
    }
    throw SystemError("bring up " + tap, errno);
}

std::optional<std::string> learnt_address(const MacAddress& mac, const std::string& interface) {
    std::string table;
    try {
        table = read_file("/proc/net/arp");
    } catch (const SystemError&) {
        return std::nullopt;
    }
    // Columns: address, type, flags (0x2: complete), MAC, mask, interface.
    for (const auto& line : split(table, '\n')) {
        const auto words = split_words(line);
        if (words.size() == 6 && words[3] == mac.text && words[5] == interface && words[2] != "0x0") {
            return words[0];
        }
    }
    return std::nullopt;
}

std::string link_local_address(const MacAddress& mac) {
    std::array<unsigned, 6> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes.at(i) = static_cast<unsigned>(std::stoul(mac.text.substr(3 * i, 2), nullptr, 16));
    }
    return fmt::format("fe80::{:x}:{:x}:{:x}:{:x}", (bytes[0] ^ 2U) << 8 | bytes[1], bytes[2] << 8 | 0xffU,
                       0xfe00U | bytes[3], bytes[4] << 8 | bytes[5]);
}

}  // namespace vt
