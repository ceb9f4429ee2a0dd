// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/frame.hpp"

#include "runner/harness/packet/frame_walk.hpp"
#include "runner/support/error.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <tins/ethernetII.h>
#include <tins/exceptions.h>
#include <tins/icmp.h>
#include <tins/icmpv6.h>
#include <tins/ip.h>
#include <tins/ipv6.h>
#include <tins/rawpdu.h>
#include <tins/tcp.h>
#include <tins/udp.h>

namespace vt::packet {
namespace {

constexpr std::size_t check_sequence = 4;  ///< bytes that a frame has more on the wire
constexpr std::size_t mac_pair = 12;

/// A frame of \p transport between two ends.
Frame built(const End& from, const End& to, const Tins::PDU& transport, std::string_view data) {
    try {
        Tins::EthernetII frame(Tins::EthernetII::address_type(to.mac),
                               Tins::EthernetII::address_type(from.mac));
        if (from.ip.find(':') == std::string::npos) {
            frame /= Tins::IP(to.ip, from.ip);
        } else {
            frame /= Tins::IPv6(to.ip, from.ip);
        }
        frame /= transport;
        frame /= Tins::RawPDU(reinterpret_cast<const std::uint8_t*>(data.data()),
                              static_cast<std::uint32_t>(data.size()));
        const auto bytes = frame.serialize();
        return {bytes.begin(), bytes.end()};
    } catch (const Tins::exception_base& error) {
        throw Error(fmt::format("no frame from {} ({}) to {} ({}) can be made: {}", from.ip, from.mac, to.ip,
                                to.mac, error.what()));
    }
}

}  // namespace

std::vector<Checksum> checksums(std::string_view frame, bool ignore_zero_udp) {
    return FrameWalk(frame, ignore_zero_udp).checksums;
}

std::string checksum_complaint(std::string_view frame, bool ignore_zero_udp) {
    std::string complaint;
    for (const auto& one : checksums(frame, ignore_zero_udp)) {
        if (!one.valid()) {
            complaint += fmt::format("{}the checksum of {} (at byte {}) is 0x{:04x}, should be 0x{:04x}",
                                     complaint.empty() ? "" : "; ", one.layer, one.offset, one.found,
                                     one.expected.value_or(0));
        }
    }
    return complaint;
}

Frame with_checksums(Frame frame) {
    // Inner ones first: an outer sum covers them.
    auto all = checksums(frame, true);
    for (std::size_t left = all.size(); left > 0; --left) {
        const auto now = checksums(frame, true);
        const auto& one = now.at(left - 1);
        if (one.expected) {
            put16(frame, one.offset, *one.expected);
        }
    }
    return frame;
}

Frame extended(Frame frame, std::size_t size, std::string_view padding) {
    if (size > longest_frame) {
        throw Error(fmt::format("a frame of {} bytes was asked for; {} are the most", size, longest_frame));
    }
    if (padding.empty()) {
        throw Error("a frame cannot be extended with an empty padding");
    }
    if (frame.size() + check_sequence >= size) {
        return frame;
    }
    const FrameWalk walk(frame, true);
    // What lies behind the datagram is the link layer's padding, which the new payload takes the place of.
    if (walk.network && walk.end < frame.size()) {
        frame.resize(walk.end);
    }
    const auto more = size - check_sequence - frame.size();
    for (std::size_t added = 0; added < more; ++added) {
        frame += padding[added % padding.size()];
    }
    for (const auto field : walk.lengths) {
        put16(frame, field, static_cast<std::uint16_t>(get16(frame, field) + more));
    }
    return with_checksums(std::move(frame));
}

std::optional<std::string_view> payload(std::string_view frame) {
    const FrameWalk walk(frame, true);
    if (!walk.payload || *walk.payload > walk.end || walk.end > frame.size()) {
        return std::nullopt;
    }
    return frame.substr(*walk.payload, walk.end - *walk.payload);
}

bool is_ipv6_misc(std::string_view frame) {
    const FrameWalk walk(frame, true);
    return walk.router_alert || walk.group_advertisement;
}

Frame udp_frame(const End& from, const End& to, std::string_view data) {
    return built(from, to, Tins::UDP(to.port, from.port), data);
}

Frame tcp_frame(const End& from, const End& to, std::string_view data) {
    Tins::TCP segment(to.port, from.port);
    segment.flags(Tins::TCP::SYN);
    return built(from, to, segment, data);
}

Frame echo_frame(const End& from, const End& to, std::string_view data) {
    if (from.ip.find(':') == std::string::npos) {
        return built(from, to, Tins::ICMP(Tins::ICMP::ECHO_REQUEST), data);
    }
    return built(from, to, Tins::ICMPv6(Tins::ICMPv6::ECHO_REQUEST), data);
}

Frame tagged(Frame frame, std::uint16_t vlan, std::uint16_t type) {
    if (frame.size() < mac_pair + 2) {
        throw Error(fmt::format("a frame of {} bytes is too short for a VLAN tag", frame.size()));
    }
    Frame tag(4, '\0');
    put16(tag, 0, type);
    put16(tag, 2, vlan);
    frame.insert(mac_pair, tag);
    return frame;
}

std::string text(std::string_view frame) {
    if (frame.size() < mac_pair + 2) {
        return fmt::format("a runt of {} bytes", frame.size());
    }
    const auto mac = [&](std::size_t at) {
        std::string words;
        for (std::size_t i = at; i < at + 6; ++i) {
            words += fmt::format("{}{:02x}", i == at ? "" : ":",
                                 static_cast<unsigned>(static_cast<unsigned char>(frame[i])));
        }
        return words;
    };
    return fmt::format("{} > {}, type 0x{:04x}, {} bytes", mac(6), mac(0), get16(frame, mac_pair),
                       frame.size());
}

}  // namespace vt::packet
