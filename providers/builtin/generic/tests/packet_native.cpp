// SPDX-License-Identifier: GPL-2.0-or-later
// A packet test of Open vSwitch as a C++ test writes it: learning and flooding, VLANs, packets of mixed size
// with infos, an ACL, addresses rewritten by flows. docs/packet-tests.md explains it.
#include "runner/native/packet_api.hpp"

#include <csignal>
#include <string>
#include <vector>

namespace {

using vt::api::Frame;
using vt::api::FrameEnd;

FrameEnd host(unsigned number) {
    return {fmt::format("02:00:00:00:00:{:02x}", number + 1), fmt::format("10.0.0.{}", number + 1), 1000};
}

void learning(vt::api::PacketBed& bed) {
    // To a host of its own: what has been flooded once may be flooded for a while after the switch has learnt
    // better.
    const auto unknown = vt::api::udp_frame(host(0), host(9), "flooded");
    bed.send_and_expect(0, {unknown}, 1);
    if (bed.get_capture(2, 1) != std::vector<Frame>{unknown})
        throw vt::Error("what was flooded to pg2 is another frame");
    bed.send_and_expect(1, {vt::api::udp_frame(host(1), host(0), "learnt")}, 0);
    bed.send_and_expect_only(0, {vt::api::udp_frame(host(0), host(1), "to one alone")}, 1);
}

void vlans(vt::api::Test& test, vt::api::PacketBed& bed) {
    bed.set_access_vlan(0, 10);
    bed.set_trunk_vlans(1, {10});
    bed.set_access_vlan(2, 20);
    const auto frame = vt::api::udp_frame(host(0), host(1), "tagged on the way");
    const auto rx = bed.send_and_expect_only(0, {frame}, 1);
    if (rx.front() != vt::api::tagged(frame, 10))
        test.fail("the frame came without its tag");
    bed.send_and_assert_no_replies(1, {vt::api::tagged(frame, 11)}, vt::Seconds(0.3));
    for (const unsigned port : {0U, 1U, 2U})
        bed.set_trunk_vlans(port, {});
}

void mixed_sizes(vt::api::PacketBed& bed, std::size_t count) {
    std::vector<Frame> frames;
    for (std::size_t i = 0; i < count; ++i) {
        const auto info = bed.create_packet_info(0, 1);
        auto frame = vt::api::udp_frame(host(0), host(1), vt::api::PacketBed::info_to_payload(info));
        frames.push_back(vt::api::extend_packet(std::move(frame), 64 + i % 1455));
    }
    bed.add_stream(0, frames);
    bed.pg_enable_capture();
    bed.pg_start();
    bed.assert_infos_match(bed.get_capture(1, {}, vt::Seconds(20)), 1);
}

void access_list_and_nat(vt::api::Test& test, vt::api::PacketBed& bed) {
    bed.set_flows("priority=9,udp,tp_dst=1000,actions=drop\npriority=1,actions=NORMAL");
    bed.send_and_assert_no_replies(0, {vt::api::udp_frame(host(0), host(1), "dropped")}, vt::Seconds(0.3));
    bed.set_flows("priority=9,ip,actions=mod_nw_src:192.0.2.1,NORMAL\npriority=1,actions=NORMAL");
    const auto frame = vt::api::tcp_frame(host(0), host(1), "rewritten");
    const auto rx = bed.send_and_expect(0, {frame}, 1);
    if (rx.front() == frame)
        test.fail("the source address was not rewritten");
    bed.assert_packet_checksums_valid(rx.front());
}

}  // namespace

VT_PACKET_TEST(test, params, bed) {
    bed.create_pg_interfaces(3);
    const auto packets = static_cast<std::size_t>(params.get_numeric("packets", 1000));
    learning(bed);
    vlans(test, bed);
    mixed_sizes(bed, packets);
    access_list_and_nat(test, bed);
    if (params.get_boolean("crash")) {
        bed.pg_enable_capture();
        bed.signal(SIGSEGV);
        bed.get_capture(2, 2 * packets,
                        vt::Seconds(30));  // a few may still be on their way, flooded; not so many
    }
}
