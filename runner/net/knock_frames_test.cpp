// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/knock_frames.hpp"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace vt {
namespace {

const KnockEnds ends{{10, 0, 2, 15}, 22, {10, 0, 2, 2}, {0x52, 0x55, 0x0a, 0x00, 0x02, 0x02}};
const MacBytes guest_mac{0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

std::string hex(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) {
        text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    }
    return text;
}

std::string bytes_of(const std::string& hex_text) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex_text.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(hex_text.substr(i, 2), nullptr, 16));
    }
    return bytes;
}

}  // namespace

TEST_CASE("frames are what a guest's kernel has answered") {
    CHECK(hex(arp_request(ends)) ==
          "ffffffffffff52550a0002020806"
          "000108000604000152550a0002020a0002020000000000000a00020f");
    CHECK(hex(tcp_syn(ends, guest_mac, 600)) ==
          "52540012345652550a0002020800"
          "45000028000000004006" +
              std::string("62c00a0002020a00020f") + "02580016000000010000000050020400" + "91630000");
}

TEST_CASE("answers are understood, as a guest sent them") {
    // An ARP reply.
    auto news = read_frame(bytes_of("52550a0002025254001234560806"
                                    "00010800060400025254001234560a00020f52550a0002020a000202"),
                           ends);
    CHECK(news.guest_mac == guest_mac);
    CHECK_FALSE(news.listening.has_value());
    // The port refuses.
    const std::string refusal =
        "52550a0002025254001234560800"
        "4500002800004000400622c00a00020f0a000202"
        "00169d2200000000000000e350140000f9a40000";
    CHECK(read_frame(bytes_of(refusal), ends).listening == false);
    // It listens.
    const auto taken = bytes_of(
        "52550a0002025254001234560800"
        "4500002c00004000400622bc0a00020f0a000202"
        "00169d2aaa31a55e000000eb6012faf097590000020405b4");
    CHECK(read_frame(taken, ends).listening == true);
    // Another port's answer, another machine's, a bare acknowledgement.
    auto other = ends;
    other.port = 23;
    CHECK_FALSE(read_frame(taken, other).listening.has_value());
    other = ends;
    other.guest = {10, 0, 2, 16};
    CHECK_FALSE(read_frame(taken, other).listening.has_value());
    auto acknowledged = taken;
    acknowledged[14 + 20 + 13] = 0x10;
    CHECK_FALSE(read_frame(acknowledged, ends).listening.has_value());
}

TEST_CASE("our own frames and cut ones say nothing of the guest") {
    CHECK(read_frame(arp_request(ends), ends).from_asker);
    const auto taken = bytes_of(
        "52550a0002025254001234560800"
        "4600002c00004000400622bc0a00020f0a000202"
        "00169d2aaa31a55e000000eb6012faf097590000020405b4");
    for (std::size_t size = 0; size <= taken.size(); ++size) {
        CHECK_FALSE(read_frame(taken.substr(0, size), ends).listening == true);
    }
    const auto reply = bytes_of(
        "52550a0002025254001234560806"
        "00010800060400025254001234560a00020f52550a0002020a000202");
    for (std::size_t size = 0; size < reply.size(); ++size) {
        CHECK_FALSE(read_frame(reply.substr(0, size), ends).guest_mac.has_value());
    }
}

}  // namespace vt
