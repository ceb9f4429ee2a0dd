// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/knock_frames.hpp"

#include <algorithm>
#include <cstddef>

namespace vt {
namespace {

constexpr std::size_t ethernet_size = 14;
constexpr std::size_t arp_size = 28;
constexpr std::size_t ip_size = 20;
constexpr std::size_t tcp_size = 20;
constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_arp = 0x0806;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t flag_syn = 0x02;
constexpr std::uint8_t flag_rst = 0x04;
constexpr std::uint8_t flag_ack = 0x10;

void put8(std::string& to, unsigned value) {
    to += static_cast<char>(static_cast<std::uint8_t>(value));
}

void put16(std::string& to, unsigned value) {
    put8(to, value >> 8);
    put8(to, value);
}

template <std::size_t size>
void put(std::string& to, const std::array<std::uint8_t, size>& bytes) {
    to.append(bytes.begin(), bytes.end());
}

unsigned byte_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

unsigned word_at(std::string_view bytes, std::size_t at) {
    return byte_at(bytes, at) << 8 | byte_at(bytes, at + 1);
}

template <std::size_t size>
bool is_at(std::string_view bytes, std::size_t at, const std::array<std::uint8_t, size>& wanted) {
    return std::equal(wanted.begin(), wanted.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      [](std::uint8_t one, char other) { return one == static_cast<std::uint8_t>(other); });
}

/// Of an even number of bytes (RFC 1071).
unsigned checksum(std::string_view bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        sum += word_at(bytes, i);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum & 0xffff;
}

void set_checksum(std::string& bytes, std::size_t at, unsigned value) {
    bytes[at] = static_cast<char>(value >> 8);
    bytes[at + 1] = static_cast<char>(value);
}

std::string ethernet(const MacBytes& to, const MacBytes& from, std::uint16_t type) {
    std::string header;
    put(header, to);
    put(header, from);
    put16(header, type);
    return header;
}

}  // namespace

std::string arp_request(const KnockEnds& ends) {
    MacBytes all{};
    all.fill(0xff);
    std::string frame = ethernet(all, ends.asker_mac, type_arp);
    put16(frame, 1);  // Ethernet
    put16(frame, type_ipv4);
    put8(frame, 6);
    put8(frame, 4);
    put16(frame, 1);  // a request
    put(frame, ends.asker_mac);
    put(frame, ends.asker);
    put(frame, MacBytes{});
    put(frame, ends.guest);
    return frame;
}

std::string tcp_syn(const KnockEnds& ends, const MacBytes& guest_mac, std::uint16_t source_port) {
    std::string tcp;
    put16(tcp, source_port);
    put16(tcp, ends.port);
    put16(tcp, 0);
    put16(tcp, 1);  // sequence number
    put16(tcp, 0);
    put16(tcp, 0);
    put8(tcp, (tcp_size / 4) << 4);
    put8(tcp, flag_syn);
    put16(tcp, 1024);  // window
    put16(tcp, 0);     // checksum, below
    put16(tcp, 0);
    std::string pseudo;
    put(pseudo, ends.asker);
    put(pseudo, ends.guest);
    put16(pseudo, protocol_tcp);
    put16(pseudo, tcp_size);
    set_checksum(tcp, 16, checksum(pseudo + tcp));

    std::string ip;
    put8(ip, 4 << 4 | ip_size / 4);
    put8(ip, 0);
    put16(ip, ip_size + tcp_size);
    put16(ip, 0);
    put16(ip, 0);
    put8(ip, 64);
    put8(ip, protocol_tcp);
    put16(ip, 0);  // checksum, below
    put(ip, ends.asker);
    put(ip, ends.guest);
    set_checksum(ip, 10, checksum(ip));
    return ethernet(guest_mac, ends.asker_mac, type_ipv4) + ip + tcp;
}

FrameNews read_frame(std::string_view frame, const KnockEnds& ends) {
    FrameNews news;
    if (frame.size() < ethernet_size) {
        return news;
    }
    news.from_asker = is_at(frame, 6, ends.asker_mac);
    const unsigned type = word_at(frame, 12);
    const auto body = frame.substr(ethernet_size);
    if (news.from_asker) {
        return news;
    }
    if (type == type_arp && body.size() >= arp_size && is_at(body, 14, ends.guest)) {
        auto& mac = news.guest_mac.emplace();
        std::copy_n(body.begin() + 8, mac.size(), mac.begin());
    } else if (type == type_ipv4 && body.size() >= ip_size && byte_at(body, 0) >> 4 == 4 &&
               byte_at(body, 9) == protocol_tcp && is_at(body, 12, ends.guest)) {
        const auto tcp = body.substr(std::min(body.size(), std::size_t{(byte_at(body, 0) & 0xfu) * 4u}));
        if (tcp.size() < tcp_size || word_at(tcp, 0) != ends.port) {
            return news;
        }
        const unsigned flags = byte_at(tcp, 13);
        if ((flags & flag_rst) != 0) {
            news.listening = false;
        } else if ((flags & (flag_syn | flag_ack)) == (flag_syn | flag_ack)) {
            news.listening = true;
        }
    }
    return news;
}

}  // namespace vt
