// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Packet tests written in C++: a daemon under test, frames in, captures out. Link with -lvtpacket besides
/// -lvtcore.
///
///     VT_PACKET_TEST(test, params, bed) {
///         bed.create_pg_interfaces(2);
///         const auto rx = bed.send_and_expect(0, {vt::api::udp_frame(from, to, "hello")}, 1);
///         bed.assert_packet_checksums_valid(rx[0]);
///     }
///
/// The daemon is the one that the parameter packet_daemon names ("ovs"); it has been started when the test
/// begins, in a network namespace of its own, and goes with the test, which leaves captures, the daemon's
/// output and a core among its results. Interfaces are named by their numbers. What is not as expected fails
/// the test; a daemon that dies makes it an error whose reason names the signal.
#pragma once

#include "runner/native/test_api.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::api {

/// The bytes of an Ethernet frame.
using Frame = std::string;

/// One end of a datagram.
struct FrameEnd {
    std::string mac;  ///< "02:00:00:00:00:01"
    std::string ip;   ///< IPv4 or IPv6
    std::uint16_t port = 0;
};

/// Frames with right checksums. Throw vt::Error for addresses that are none.
Frame udp_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data);
Frame tcp_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data);
Frame echo_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data);
/// \p frame with an 802.1Q tag.
Frame tagged(Frame frame, std::uint16_t vlan);
/// \p frame padded to \p size bytes on the wire (4 of them the check sequence), lengths and checksums right.
Frame extend_packet(Frame frame, std::size_t size, std::string_view padding = " ");
/// What the transport of \p frame carries; empty if there is nothing.
std::string payload_of(const Frame& frame);

/// What a test knows of a packet that it sends.
struct PacketInfo {
    int index = -1;
    int src = -1;  ///< the daemon's number of the interface
    int dst = -1;
};

/// A packet generator interface.
struct PgInterface {
    unsigned pg_index = 0;
    int sw_if_index = -1;  ///< the daemon's number of it
    std::string name;
    std::string mac;
};

/// The daemon under test and the verbs of a packet test.
class PacketBed {
  public:
    /// Starts the daemon for \p test. Skips the test where no network namespace can be made.
    PacketBed(Test& test, const Params& params);
    ~PacketBed();
    PacketBed(const PacketBed&) = delete;
    PacketBed& operator=(const PacketBed&) = delete;

    std::vector<PgInterface> create_pg_interfaces(unsigned count);
    void add_stream(unsigned pg_index, std::vector<Frame> frames);
    /// On all interfaces.
    void pg_enable_capture();
    void pg_start(Seconds timeout = Seconds(10));
    /// Exactly so many frames; without a number as many as the infos tell of.
    std::vector<Frame> get_capture(unsigned pg_index, std::optional<std::size_t> expected_count = {},
                                   Seconds timeout = Seconds(5));
    void assert_nothing_captured(unsigned pg_index, Seconds timeout = Seconds(0.2));
    std::vector<Frame> send_and_expect(unsigned input, std::vector<Frame> frames, unsigned output);
    std::vector<Frame> send_and_expect_only(unsigned input, std::vector<Frame> frames, unsigned output);
    void send_and_assert_no_replies(unsigned input, std::vector<Frame> frames, Seconds timeout = Seconds(1));

    /// A new info of a packet from one interface to another, and its payload.
    PacketInfo create_packet_info(unsigned src, unsigned dst);
    static std::string info_to_payload(const PacketInfo& info);
    static PacketInfo payload_to_info(std::string_view payload);
    void reset_packet_infos();
    /// \p frames, captured at interface \p dst, are those that the infos tell of, whole and with right
    /// checksums.
    void assert_infos_match(const std::vector<Frame>& frames, unsigned dst);
    void assert_packet_checksums_valid(const Frame& frame);
    void assert_packet_counter_equal(std::string_view counter, std::uint64_t expected);

    /// A command of the daemon's.
    std::string cli(std::string_view command, Seconds timeout = Seconds(10));
    pid_t pid() const;
    /// Waits for a line of the daemon's output that matches the regular expression.
    std::string wait_for_line(std::string_view pattern, Seconds timeout = Seconds(10));
    void signal(int number);

    /// Open vSwitch's own: flows in ovs-ofctl's words; VLANs of an interface.
    void set_flows(std::string_view flows, bool replace = true);
    void set_access_vlan(unsigned pg_index, unsigned vlan);
    void set_trunk_vlans(unsigned pg_index, const std::vector<unsigned>& vlans);

    /// Throws TestError with the reason if the daemon has ended; asked after each test, too.
    void verify_alive();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt::api

// NOLINTBEGIN(bugprone-macro-parentheses)
/// Defines a packet test: `VT_PACKET_TEST(test, params, bed) { … }`.
#define VT_PACKET_TEST(test_name, params_name, bed_name)                             \
    static void vt_packet_test_run([[maybe_unused]] ::vt::api::Test& test_name,      \
                                   [[maybe_unused]] ::vt::Params& params_name,       \
                                   [[maybe_unused]] ::vt::api::PacketBed& bed_name); \
    VT_TEST(test_name, params_name, vt_packet_env) {                                 \
        ::vt::api::PacketBed bed_name(test_name, params_name);                       \
        vt_packet_test_run(test_name, params_name, bed_name);                        \
        bed_name.verify_alive();                                                     \
    }                                                                                \
    static void vt_packet_test_run([[maybe_unused]] ::vt::api::Test& test_name,      \
                                   [[maybe_unused]] ::vt::Params& params_name,       \
                                   [[maybe_unused]] ::vt::api::PacketBed& bed_name)
// NOLINTEND(bugprone-macro-parentheses)
