// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/frame.hpp"

#include "runner/support/error.hpp"

#include <string>

#include <doctest/doctest.h>

namespace vt::packet {
namespace {

const End here{"02:00:00:00:00:01", "10.0.0.1", 1234};
const End there{"02:00:00:00:00:02", "10.0.0.2", 4321};
const End here6{"02:00:00:00:00:01", "fd00::1", 1234};
const End there6{"02:00:00:00:00:02", "fd00::2", 4321};

/// The layers whose sums were found.
std::string layers(std::string_view frame, bool ignore_zero_udp = true) {
    std::string words;
    for (const auto& one : checksums(frame, ignore_zero_udp)) {
        words += one.layer + (one.expected ? " " : "? ");
    }
    return words;
}

TEST_CASE("checksums of every transport are found and right as libtins makes them") {
    for (const auto& [frame, expected] :
         {std::pair{udp_frame(here, there, "data"), "IP UDP "},
          {tcp_frame(here, there, "odd"), "IP TCP "},
          {echo_frame(here, there, "ping"), "IP ICMP "},
          {udp_frame(here6, there6, "data"), "UDP "},
          {tcp_frame(here6, there6, "odd"), "TCP "},
          {echo_frame(here6, there6, "ping"), "ICMPv6 "},
          {tagged(udp_frame(here, there, "data"), 7), "IP UDP "},
          {tagged(tagged(udp_frame(here6, there6, "data"), 7), 9, 0x88a8), "UDP "}}) {
        CHECK(layers(frame) == expected);
        CHECK(checksum_complaint(frame) == "");
    }
}

TEST_CASE("a changed byte is told of by its header, and mended") {
    auto frame = udp_frame(here, there, "some data that lies in the middle of a datagram, not in padding");
    const auto good = frame;
    frame[60] ^= 1;
    CHECK(checksum_complaint(frame).find("the checksum of UDP (at byte 40) is 0x") == 0);
    frame[22] ^= 1;  // the time to live
    CHECK(checksum_complaint(frame).find("the checksum of IP (at byte 24) is 0x") == 0);
    CHECK(checksum_complaint(frame).find("; the checksum of UDP") != std::string::npos);
    CHECK(checksum_complaint(with_checksums(frame)) == "");
    CHECK(with_checksums(good) == good);
}

TEST_CASE("a zero sum of UDP over IPv4 means that there is none") {
    auto frame = udp_frame(here, there, "data");
    frame[40] = frame[41] = 0;
    CHECK(layers(frame) == "IP ");
    CHECK(layers(frame, false) == "IP UDP ");
    CHECK(checksum_complaint(frame, false) != "");
}

/// An ICMP error about \p quoted, of which \p bytes are quoted.
Frame unreachable(const Frame& quoted, std::size_t bytes) {
    auto frame = echo_frame(there, here, quoted.substr(14, bytes));
    frame[34] = 3;
    return with_checksums(std::move(frame));
}

TEST_CASE("a datagram that an ICMP error quotes is verified as far as it goes") {
    const auto quoted = udp_frame(here, there, std::string(30, 'x'));
    auto frame = unreachable(quoted, 58);
    CHECK(layers(frame) == "IP ICMP IPerror UDPerror ");
    CHECK(checksum_complaint(frame) == "");
    frame[14 + 20 + 8 + 8] ^= 1;  // the quoted time to live
    CHECK(checksum_complaint(frame).find("ICMP ") != std::string::npos);
    CHECK(checksum_complaint(frame).find("IPerror") != std::string::npos);
    CHECK(checksum_complaint(with_checksums(frame)) == "");
    CHECK(layers(unreachable(quoted, 40)) == "IP ICMP IPerror UDPerror? ");
    CHECK(layers(unreachable(quoted, 28)) == "IP ICMP IPerror UDPerror? ");
    CHECK(layers(unreachable(quoted, 19)) == "IP ICMP ");
}

TEST_CASE("whatever is cut off or wrong is passed over") {
    const auto whole = tagged(unreachable(udp_frame(here, there, std::string(30, 'x')), 58), 5);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        auto frame = whole.substr(0, size);
        (void)checksums(frame, false);
        (void)payload(frame);
        (void)is_ipv6_misc(frame);
        (void)with_checksums(frame);
    }
    const auto six = echo_frame(here6, there6, "x");
    for (std::size_t at = 12; at < six.size(); ++at) {
        for (const int value : {0, 1, 0x3c, 0x2b, 0x7f, 0xff}) {
            auto frame = six;
            frame[at] = static_cast<char>(value);
            (void)checksums(frame, false);
            (void)is_ipv6_misc(frame);
        }
    }
    auto fragment = udp_frame(here, there, "the first fragment");
    fragment[20] = 0x20;
    CHECK(layers(fragment) == "IP UDP? ");
    fragment[21] = 1;
    CHECK(layers(fragment) == "IP ");
}

TEST_CASE("frames grow to any size up to jumbo, with lengths and sums right") {
    for (const auto& base :
         {udp_frame(here, there, "a"), tcp_frame(here, there, "a"), udp_frame(here6, there6, "a")}) {
        for (const std::size_t size : {64, 512, 1518, 9018, 65535}) {
            const auto frame = extended(base, size, "xyz");
            CHECK(frame.size() == std::max(size - 4, base.size()));
            CHECK(checksum_complaint(frame) == "");
            if (size > 64) {
                CHECK(payload(frame)->substr(0, 4) == "axyz");
                CHECK(payload(frame)->size() + (frame.size() - payload(frame)->size()) == size - 4);
            }
        }
    }
    CHECK_THROWS_AS(extended("x", 65536), Error);
    CHECK_THROWS_AS(extended("x", 100, ""), Error);
    CHECK(extended(Frame(100, 'x'), 64).size() == 100);
}

TEST_CASE("the payload is what the transport carries") {
    CHECK(payload(udp_frame(here, there, "1 2 3 4 5")) == "1 2 3 4 5");
    CHECK(payload(tagged(tcp_frame(here6, there6, "tcp"), 3)) == "tcp");
    CHECK(payload(echo_frame(here, there, "ping")) == "ping");
    CHECK(payload("short") == std::nullopt);
}

TEST_CASE("what IPv6 hosts say unasked is known") {
    CHECK_FALSE(is_ipv6_misc(udp_frame(here6, there6, "data")));
    auto advertisement = echo_frame(here6, {"33:33:00:00:00:01", "ff02::1", 0}, "");
    advertisement[54] = static_cast<char>(134);
    CHECK(is_ipv6_misc(advertisement));
    advertisement[38] = static_cast<char>(0xfd);
    CHECK_FALSE(is_ipv6_misc(advertisement));
    auto report = echo_frame(here6, {"33:33:00:00:00:16", "ff02::16", 0}, "");
    report[20] = 0;  // hop-by-hop options follow
    report.insert(54, std::string("\x3a\0\5\2\0\0\1\0", 8));
    report[19] = static_cast<char>(report[19] + 8);
    CHECK(is_ipv6_misc(report));
}

TEST_CASE("addresses that are none make no frame") {
    CHECK_THROWS_AS(udp_frame({"02:00:00:00:00:01", "10.0.0.1000", 1}, there, ""), Error);
    CHECK(text(udp_frame(here, there, "")) == "02:00:00:00:00:01 > 02:00:00:00:00:02, type 0x0800, 60 bytes");
    CHECK(text("x") == "a runt of 1 bytes");
}

}  // namespace
}  // namespace vt::packet
