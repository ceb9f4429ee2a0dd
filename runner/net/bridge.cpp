// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/bridge.hpp"

#include "runner/process/process.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <array>
#include <cerrno>

#include <fmt/core.h>
#include <linux/ethtool.h>
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

BridgeKind bridge_kind(const std::string& bridge) {
    if (bridge.empty() || bridge.size() >= IFNAMSIZ || bridge.find('/') != std::string::npos ||
        ::if_nametoindex(bridge.c_str()) == 0) {
        return BridgeKind::none;
    }
    const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto request = request_for(bridge);
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    request.ifr_data = reinterpret_cast<char*>(&info);
    const std::string driver = control && ::ioctl(control.get(), SIOCETHTOOL, &request) == 0
                                   ? std::string(info.driver)
                                   : std::string();
    if (driver == "bridge") {
        return BridgeKind::linux_bridge;
    }
    if (driver == "openvswitch") {
        return BridgeKind::open_vswitch;
    }
    // Open vSwitch without its kernel module has taps for bridges.
    if (driver == "tun" && process::find_program("ovs-vsctl")) {
        process::Command ask;
        ask.argv = {"ovs-vsctl", "--timeout=10", "br-exists", bridge};
        return process::run(ask, Deadline::after(Seconds{20})).status.ok() ? BridgeKind::open_vswitch
                                                                           : BridgeKind::none;
    }
    return BridgeKind::none;
}

std::optional<std::string> bridge_obstacle(const std::string& bridge) {
    if (bridge_kind(bridge) == BridgeKind::none) {
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

std::string bridge_of_network(const std::string& network) {
    if (bridge_kind(network) != BridgeKind::none || !process::find_program("virsh")) {
        return network;
    }
    process::Command ask;
    ask.argv = {"virsh", "--readonly", "net-info", network};
    const auto done = process::run(ask, Deadline::after(Seconds{20}));
    for (const auto& line : split(done.out, '\n')) {
        if (const auto words = split_words(line); words.size() == 2 && words[0] == "Bridge:") {
            return words[1];
        }
    }
    return network;
}

void bring_up(const std::string& interface) {
    const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    auto flags = request_for(interface);
    if (control && ::ioctl(control.get(), SIOCGIFFLAGS, &flags) == 0) {
        flags.ifr_flags = static_cast<short>(flags.ifr_flags | IFF_UP);
        if (::ioctl(control.get(), SIOCSIFFLAGS, &flags) == 0) {
            return;
        }
    }
    throw SystemError("bring up " + interface, errno);
}

void join_bridge(const std::string& bridge, const std::string& tap) {
    auto port = request_for(bridge);
    if (bridge_kind(bridge) == BridgeKind::open_vswitch) {
        process::Command add;
        add.argv = {"ovs-vsctl", "--timeout=20", "--may-exist", "add-port", bridge, tap};
        process::check(add, Deadline::after(Seconds{30}));
        bring_up(tap);
        return;
    }
    const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    port.ifr_ifindex = static_cast<int>(::if_nametoindex(tap.c_str()));
    if (!control || ::ioctl(control.get(), SIOCBRADDIF, &port) != 0) {
        throw SystemError(fmt::format("make {} a port of bridge {}", tap, bridge), errno);
    }
    bring_up(tap);
}

void leave_bridge(const std::string& bridge, const std::string& tap) noexcept {
    try {
        if (bridge_kind(bridge) == BridgeKind::open_vswitch) {
            process::Command remove;
            remove.argv = {"ovs-vsctl", "--timeout=20", "--if-exists", "del-port", bridge, tap};
            process::run(remove, Deadline::after(Seconds{30}));
        }
    } catch (const std::exception& error) {
        log::warning("port {} of bridge {} could not be taken out: {}", tap, bridge, error.what());
    }
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
