// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Frames as the harness has them: bytes of Ethernet, taken apart no further than a question needs.
///
/// Captures are hostile: every length is checked before it is believed. Sums are libtins'; the walk through
/// headers is our own, so that a wrong sum is named by the header it is in, VLAN tags and IPv6 extensions are
/// passed, and a datagram that an ICMP error quotes is looked at as far as it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::packet {

/// The bytes of an Ethernet frame, from the destination address on.
using Frame = std::string;

/// A checksum field of a frame.
struct Checksum {
    std::string
        layer;  ///< "IP", "TCP", "UDP", "ICMP", "ICMPv6", and "IPerror", … for what an ICMP error quotes
    std::size_t offset;  ///< of the field in the frame
    std::uint16_t found;
    /// What it should be; nothing if the frame does not have all that is summed up (a quoted datagram that
    /// was cut off, a fragment).
    std::optional<std::uint16_t> expected;

    bool valid() const { return !expected || *expected == found; }
};

/// Every checksum field of \p frame, outer ones first. A zero sum of UDP over IPv4 means none was made; it is
/// left out if \p ignore_zero_udp.
std::vector<Checksum> checksums(std::string_view frame, bool ignore_zero_udp = true);

/// What is wrong with the checksums of \p frame, a sentence; empty if all are right.
std::string checksum_complaint(std::string_view frame, bool ignore_zero_udp = true);

/// \p frame with every checksum right.
Frame with_checksums(Frame frame);

/// \p frame padded behind its payload to \p size bytes, the frame's own check sequence of 4 bytes included as
/// on the wire, its lengths (IPv4, IPv6, UDP) and checksums made right. One that is as long already stays as
/// it is. \p padding is repeated. Throws Error for sizes beyond jumbo frames and for empty padding.
Frame extended(Frame frame, std::size_t size, std::string_view padding = " ");

/// The payload of the innermost transport header (or of IP, or Ethernet), without padding of the link layer;
/// nothing for what is cut off before it.
std::optional<std::string_view> payload(std::string_view frame);

/// True for what IPv6 hosts say unasked: router advertisements to a group, and what carries a router alert
/// (multicast listener reports).
bool is_ipv6_misc(std::string_view frame);

/// The longest frame that is made.
constexpr std::size_t longest_frame = 65535;

/// One end of a datagram.
struct End {
    std::string mac;  ///< "02:00:00:00:00:01"
    std::string ip;   ///< IPv4 or IPv6, both ends alike
    std::uint16_t port = 0;
};

/// A UDP datagram in a frame, with checksums. Throws Error for addresses that are none.
Frame udp_frame(const End& from, const End& to, std::string_view data);
/// The first segment of a TCP connection (SYN) with \p data, with checksums.
Frame tcp_frame(const End& from, const End& to, std::string_view data);
/// An ICMP (ICMPv6) echo request; the ends' ports are not used.
Frame echo_frame(const End& from, const End& to, std::string_view data);
/// \p frame with an 802.1Q tag; 0x88a8 as \p type makes the outer tag of 802.1ad.
Frame tagged(Frame frame, std::uint16_t vlan, std::uint16_t type = 0x8100);

/// Addresses, type and length for people: "02:00… > ff:ff…, type 0x0800, 64 bytes".
std::string text(std::string_view frame);

}  // namespace vt::packet
