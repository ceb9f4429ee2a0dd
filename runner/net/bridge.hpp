// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Bridges of the host, and guests behind them.
///
/// A tap is ours (tap.hpp) and becomes a port of a Linux bridge or of Open vSwitch. A bridge is known by the
/// driver that the kernel names for it, in whatever network namespace this process is. Where a guest has no
/// address that the host has learnt, its IPv6 link-local one follows from its MAC.
#pragma once

#include "runner/sharing/ports.hpp"

#include <optional>
#include <string>

namespace vt {

/// Why \p bridge cannot be used here (there is none, no right to make taps); nothing if it can.
std::optional<std::string> bridge_obstacle(const std::string& bridge);

/// What \p bridge is. Open vSwitch's that has no driver of the kernel is asked of ovs-vsctl, where that is
/// there.
enum class BridgeKind { none, linux_bridge, open_vswitch };
BridgeKind bridge_kind(const std::string& bridge);

/// The bridge of a network: \p network itself if that is one, else what libvirt says of its network of this
/// name.
std::string bridge_of_network(const std::string& network);

/// Makes the interface \p tap a port of \p bridge and brings it up. Throws SystemError,
/// process::CommandError.
void join_bridge(const std::string& bridge, const std::string& tap);

/// Takes the port \p tap out of Open vSwitch, whose database remembers it though the tap is gone. Nothing for
/// a Linux bridge. Never throws.
void leave_bridge(const std::string& bridge, const std::string& tap) noexcept;

/// Brings the interface up. Throws SystemError.
void bring_up(const std::string& interface);

/// The IPv4 address that the host has last seen \p mac use on \p interface (its ARP table).
std::optional<std::string> learnt_address(const MacAddress& mac, const std::string& interface);

/// The IPv6 link-local address that an interface with \p mac gives itself (RFC 4291, appendix A).
std::string link_local_address(const MacAddress& mac);

}  // namespace vt
