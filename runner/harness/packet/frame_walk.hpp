// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One walk through the headers of a frame, which notes what frame.hpp answers with; not for others.
#pragma once

#include "runner/harness/packet/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace vt::packet {

/// The 16 bits at \p at, which must be there, in network order.
std::uint16_t get16(std::string_view bytes, std::size_t at);
void put16(Frame& bytes, std::size_t at, std::uint16_t value);

/// What a frame consists of. Formats: IEEE 802.3 and 802.1Q, RFC 791, 8200, 9293, 768, 792, 4443.
class FrameWalk {
  public:
    FrameWalk(std::string_view frame, bool ignore_zero_udp);

    std::vector<Checksum> checksums;
    std::vector<std::size_t> lengths;    ///< where the lengths lie that count the payload
    std::optional<std::size_t> payload;  ///< where it begins
    std::size_t end = 0;                 ///< of the outermost datagram, or of the frame
    bool network = false;                ///< it has an IPv4 or IPv6 header
    bool router_alert = false;
    bool group_advertisement = false;

  private:
    /// A datagram's addresses and what of it is a transport's.
    struct Transport {
        std::string_view from;
        std::string_view to;
        std::size_t at;       ///< where it begins
        std::size_t length;   ///< as the header says
        std::uint8_t number;  ///< of the protocol
        bool whole;           ///< all of it is here
        bool quoted;
    };

    bool has(std::size_t at, std::size_t count) const;
    std::uint8_t byte(std::size_t at) const;
    void ethernet();
    void ipv4(std::size_t at, bool quoted);
    void ipv6(std::size_t at, bool quoted);
    void transport(const Transport& it);
    void ports(const Transport& it, const char* layer, std::size_t field, std::size_t header);
    void control(const Transport& it);
    void control6(const Transport& it);
    void sum(const Transport& it, const char* layer, std::size_t field, bool pseudo_header);
    void note(const char* layer, std::size_t offset, std::optional<std::uint16_t> expected);

    std::string_view frame_;
    bool ignore_zero_udp_;
};

}  // namespace vt::packet
