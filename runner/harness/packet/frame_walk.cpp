// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/frame_walk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include <endian.h>
#include <tins/utils/checksum_utils.h>

namespace vt::packet {
namespace {

constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t icmp = 1;
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t authentication = 51;
constexpr std::uint8_t icmpv6 = 58;
constexpr std::uint8_t destination = 60;
constexpr std::uint8_t router_advertisement = 134;
constexpr std::uint8_t router_alert_option = 5;
constexpr std::size_t icmp_header = 8;

/// The one's complement sum of \p bytes as libtins makes it: words as they lie in memory.
std::uint32_t sum_of(std::string_view bytes) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return Tins::Utils::sum_range(begin, begin + bytes.size());
}

/// The checksum that makes \p sum all ones, in our byte order.
std::uint16_t completed(std::uint32_t sum) {
    while ((sum >> 16U) != 0) {
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return be16toh(static_cast<std::uint16_t>(~sum));
}

}  // namespace

std::uint16_t get16(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8U |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

void put16(Frame& bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<char>(value >> 8U);
    bytes[at + 1] = static_cast<char>(value & 0xffU);
}

FrameWalk::FrameWalk(std::string_view frame, bool ignore_zero_udp)
    : end(frame.size()), frame_(frame), ignore_zero_udp_(ignore_zero_udp) {
    ethernet();
}

bool FrameWalk::has(std::size_t at, std::size_t count) const {
    return at <= frame_.size() && count <= frame_.size() - at;
}

std::uint8_t FrameWalk::byte(std::size_t at) const {
    return static_cast<std::uint8_t>(frame_[at]);
}

void FrameWalk::note(const char* layer, std::size_t offset, std::optional<std::uint16_t> expected) {
    checksums.push_back({layer, offset, get16(frame_, offset), expected});
}

void FrameWalk::ethernet() {
    std::size_t at = 12;
    while (has(at, 4) &&
           (get16(frame_, at) == 0x8100 || get16(frame_, at) == 0x88a8 || get16(frame_, at) == 0x9100)) {
        at += 4;
    }
    if (!has(at, 2)) {
        return;
    }
    payload = at + 2;
    if (get16(frame_, at) == 0x0800) {
        ipv4(at + 2, false);
    } else if (get16(frame_, at) == 0x86dd) {
        ipv6(at + 2, false);
    }
}

void FrameWalk::ipv4(std::size_t at, bool quoted) {
    if (!has(at, 20) || byte(at) >> 4U != 4) {
        return;
    }
    const std::size_t header = std::size_t{byte(at) & 0xfU} * 4;
    const std::size_t total = get16(frame_, at + 2);
    if (header < 20 || total < header || !has(at, header)) {
        return;
    }
    note(quoted ? "IPerror" : "IP", at + 10,
         completed(sum_of(frame_.substr(at, 10)) + sum_of(frame_.substr(at + 12, header - 12))));
    const auto fragmenting = get16(frame_, at + 6);
    const bool here = has(at, total);
    if (!quoted) {
        network = true;
        lengths.push_back(at + 2);
        payload = at + header;
        end = here ? at + total : frame_.size();
    }
    if ((fragmenting & 0x1fffU) == 0) {
        transport({frame_.substr(at + 12, 4), frame_.substr(at + 16, 4), at + header, total - header,
                   byte(at + 9), here && (fragmenting & 0x2000U) == 0, quoted});
    }
}

void FrameWalk::ipv6(std::size_t at, bool quoted) {
    if (!has(at, 40) || byte(at) >> 4U != 6) {
        return;
    }
    const std::size_t past = at + 40 + get16(frame_, at + 4);
    bool whole = past <= frame_.size();
    if (!quoted) {
        network = true;
        lengths.push_back(at + 4);
        end = std::min(past, frame_.size());
    }
    auto next = byte(at + 6);
    std::size_t here = at + 40;
    while (next == hop_by_hop || next == routing || next == destination || next == fragment ||
           next == authentication) {
        if (!has(here, 8)) {
            return;
        }
        std::size_t length = 8;
        if (next == authentication) {
            length = (std::size_t{byte(here + 1)} + 2) * 4;
        } else if (next != fragment) {
            length = (std::size_t{byte(here + 1)} + 1) * 8;
        } else if ((get16(frame_, here + 2) & 0xfff8U) != 0) {
            return;  // not the first fragment
        } else {
            whole = whole && (get16(frame_, here + 2) & 1U) == 0;
        }
        if (next == hop_by_hop && !quoted && has(here, length)) {
            for (std::size_t option = here + 2; option + 1 < here + length;) {
                router_alert = router_alert || byte(option) == router_alert_option;
                option += byte(option) == 0 ? 1 : std::size_t{2} + byte(option + 1);
            }
        }
        next = byte(here);
        here += length;
    }
    if (here > past) {
        return;
    }
    if (!quoted) {
        payload = here;
    }
    transport(
        {frame_.substr(at + 8, 16), frame_.substr(at + 24, 16), here, past - here, next, whole, quoted});
}

void FrameWalk::transport(const Transport& it) {
    if (it.number == tcp) {
        ports(it, it.quoted ? "TCPerror" : "TCP", 16, 20);
    } else if (it.number == udp) {
        ports(it, it.quoted ? "UDPerror" : "UDP", 6, 8);
    } else if (it.number == icmp && it.from.size() == 4) {
        control(it);
    } else if (it.number == icmpv6 && it.from.size() == 16) {
        control6(it);
    }
}

void FrameWalk::ports(const Transport& it, const char* layer, std::size_t field, std::size_t header) {
    if (!has(it.at, field + 2) || it.length < field + 2) {
        return;
    }
    if (!it.quoted) {
        const auto length = header == 20 && has(it.at, 13) ? std::size_t{byte(it.at + 12)} / 16 * 4 : header;
        payload = it.at + std::max(length, header);
        if (header == 8) {
            lengths.push_back(it.at + 4);
        }
    }
    const bool none = header == 8 && get16(frame_, it.at + field) == 0 && ignore_zero_udp_;
    if (!none) {
        sum(it, layer, field, true);
    }
}

void FrameWalk::control(const Transport& it) {
    if (!has(it.at, icmp_header) || it.length < icmp_header) {
        return;
    }
    sum(it, it.quoted ? "ICMPerror" : "ICMP", 2, false);
    const auto type = byte(it.at);
    const bool error = type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    if (!it.quoted) {
        payload = it.at + icmp_header;
        if (error) {
            ipv4(it.at + icmp_header, true);
        }
    }
}

void FrameWalk::control6(const Transport& it) {
    if (!has(it.at, icmp_header) || it.length < icmp_header) {
        return;
    }
    sum(it, it.quoted ? "ICMPv6error" : "ICMPv6", 2, true);
    if (it.quoted) {
        return;
    }
    const auto type = byte(it.at);
    payload = it.at + icmp_header;
    group_advertisement = type == router_advertisement && static_cast<std::uint8_t>(it.to[0]) == 0xff;
    if (type >= 1 && type <= 4) {
        ipv6(it.at + icmp_header, true);
    }
}

void FrameWalk::sum(const Transport& it, const char* layer, std::size_t field, bool pseudo_header) {
    if (!it.whole) {
        note(layer, it.at + field, std::nullopt);
        return;
    }
    // A UDP datagram is as long as its own header says.
    auto length = it.length;
    if (it.number == udp) {
        const std::size_t own = get16(frame_, it.at + 4);
        if (own < icmp_header || own > length) {
            note(layer, it.at + field, std::nullopt);
            return;
        }
        length = own;
    }
    std::uint32_t total =
        sum_of(frame_.substr(it.at, field)) + sum_of(frame_.substr(it.at + field + 2, length - field - 2));
    if (pseudo_header) {
        Frame words(4, '\0');
        put16(words, 0, it.number);
        put16(words, 2, static_cast<std::uint16_t>(length));
        total += sum_of(it.from) + sum_of(it.to) + sum_of(words);
    }
    auto expected = completed(total);
    if (it.number == udp && expected == 0) {
        expected = 0xffff;  // zero means that there is none
    }
    note(layer, it.at + field, expected);
}

}  // namespace vt::packet
