// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The frames by which a guest is asked on its own network whether a TCP port listens, without a connection.
///
/// A request of the address resolution protocol (RFC 826) finds out whether the guest has its address, a lone
/// SYN (RFC 9293, 3.5) whether the port listens: the guest's kernel answers both by itself, and a connection
/// that is never completed does not reach the server. Pure functions over bytes; who sends and sees frames is
/// another's business.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vt {

using Ipv4Bytes = std::array<std::uint8_t, 4>;
using MacBytes = std::array<std::uint8_t, 6>;

/// The two ends, as seen from the guest's network.
struct KnockEnds {
    Ipv4Bytes guest{};
    std::uint16_t port = 22;  ///< of the guest
    Ipv4Bytes asker{};        ///< whom the guest's network has at this address anyway: its gateway
    MacBytes asker_mac{};
};

/// "Who has the guest's address?", to all.
std::string arp_request(const KnockEnds& ends);
/// The beginning of a connection from \p source_port to the guest's port.
std::string tcp_syn(const KnockEnds& ends, const MacBytes& guest_mac, std::uint16_t source_port);

/// What a frame tells.
struct FrameNews {
    bool from_asker = false;  ///< sent under the asker's hardware address
    /// The guest has its address: its hardware address.
    std::optional<MacBytes> guest_mac;
    /// The guest's port took (true) or refused (false) a connection.
    std::optional<bool> listening;
};

/// Reads an Ethernet frame, of which the end may be cut off.
FrameNews read_frame(std::string_view frame, const KnockEnds& ends);

}  // namespace vt
