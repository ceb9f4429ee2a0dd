// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Bridges of the host, and guests behind them.
///
/// The tap of a bridged NIC is made by QEMU itself and so goes with it, however it ends; only joining the
/// bridge is our work. Where a guest has no address that the host has learnt, its IPv6 link-local one follows
/// from its MAC.
#pragma once

#include "runner/sharing/ports.hpp"

#include <optional>
#include <string>

namespace vt {

/// Why \p bridge cannot be used here (there is none, no right to make taps); nothing if it can.
std::optional<std::string> bridge_obstacle(const std::string& bridge);

/// Makes the interface \p tap a port of \p bridge and brings it up. Throws SystemError.
void join_bridge(const std::string& bridge, const std::string& tap);

/// The IPv4 address that the host has last seen \p mac use on \p interface (its ARP table).
std::optional<std::string> learnt_address(const MacAddress& mac, const std::string& interface);

/// The IPv6 link-local address that an interface with \p mac gives itself (RFC 4291, appendix A).
std::string link_local_address(const MacAddress& mac);

}  // namespace vt
