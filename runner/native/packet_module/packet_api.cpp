// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/packet_api.hpp"

#include "runner/env/test_context.hpp"
#include "runner/env/test_status.hpp"
#include "runner/harness/packet/ovs.hpp"
#include "runner/harness/packet/test_bed.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

namespace vt::api {
namespace {

packet::End end_of(const FrameEnd& end) {
    return {end.mac, end.ip, end.port};
}

/// \p call's result; what was not as expected fails the test.
template <typename Call>
auto checked(const Call& call) {
    try {
        return call();
    } catch (const packet::CaptureError& error) {
        throw TestFail(error.what());
    } catch (const packet::DaemonDied& error) {
        throw TestError(error.what());
    }
}

packet::OvsOptions options_of(const TestContext& context, const Params& params,
                              const std::filesystem::path& run) {
    packet::OvsOptions options;
    options.directory = context.outputdir;
    options.run_directory = run;
    options.settings = packet::Settings::read();
    options.ports = packet::port_kind_of(params.get("packet_ports", "dummy"));
    options.mtu = static_cast<std::size_t>(params.get_double("packet_mtu", 1500));
    return options;
}

}  // namespace

Frame udp_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data) {
    return packet::udp_frame(end_of(from), end_of(to), data);
}
Frame tcp_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data) {
    return packet::tcp_frame(end_of(from), end_of(to), data);
}
Frame echo_frame(const FrameEnd& from, const FrameEnd& to, std::string_view data) {
    return packet::echo_frame(end_of(from), end_of(to), data);
}
Frame tagged(Frame frame, std::uint16_t vlan) {
    return packet::tagged(std::move(frame), vlan);
}
Frame extend_packet(Frame frame, std::size_t size, std::string_view padding) {
    return packet::extended(std::move(frame), size, padding);
}
std::string payload_of(const Frame& frame) {
    return std::string(packet::payload(frame).value_or(std::string_view()));
}

struct PacketBed::Impl {
    Impl(const TestContext& context, const Params& params)
        : scratch(RuntimeDirs::make().journal(), "pkt-", RuntimeDirs::make().base),
          ovs(std::make_shared<packet::OvsSwitch>(loop, options_of(context, params, scratch.path()))),
          bed(ovs, context.outputdir) {
        bed.start();
    }

    IoLoop loop;
    ScratchDirectory scratch;
    std::shared_ptr<packet::OvsSwitch> ovs;
    packet::TestBed bed;
};

PacketBed::PacketBed(Test& test, const Params& params) {
    const auto daemon = params.get("packet_daemon", "ovs");
    if (daemon != "ovs") {
        throw TestError(fmt::format("packet_daemon is \"{}\"; native packet tests know \"ovs\"", daemon));
    }
    if (const auto obstacle = packet::OvsSwitch::obstacle()) {
        throw TestSkip(*obstacle);
    }
    std::filesystem::create_directories(test.outputdir());
    impl_ = checked([&] { return std::make_unique<Impl>(test.impl(), params); });
}

PacketBed::~PacketBed() = default;

std::vector<PgInterface> PacketBed::create_pg_interfaces(unsigned count) {
    std::vector<PgInterface> made;
    for (const auto pg_index : checked([&] { return impl_->bed.create_pg_interfaces(count); })) {
        const auto& facts = impl_->bed.pg(pg_index).facts;
        made.push_back({facts.pg_index, facts.sw_if_index, facts.name, facts.mac});
    }
    return made;
}

void PacketBed::add_stream(unsigned pg_index, std::vector<Frame> frames) {
    impl_->bed.add_stream(pg_index, std::move(frames));
}

void PacketBed::pg_enable_capture() {
    checked([&] {
        impl_->bed.enable_captures();
        return 0;
    });
}

void PacketBed::pg_start(Seconds timeout) {
    checked([&] {
        impl_->bed.pg_start(Deadline::after(timeout));
        return 0;
    });
}

std::vector<Frame> PacketBed::get_capture(unsigned pg_index, std::optional<std::size_t> expected_count,
                                          Seconds timeout) {
    return checked([&] {
        const auto count =
            expected_count.value_or(impl_->bed.infos().count_for(impl_->bed.pg(pg_index).facts.sw_if_index));
        return impl_->bed.get_capture(pg_index, count, Deadline::after(timeout));
    });
}

void PacketBed::assert_nothing_captured(unsigned pg_index, Seconds timeout) {
    checked([&] {
        impl_->bed.assert_nothing_captured(pg_index, Deadline::after(timeout));
        return 0;
    });
}

std::vector<Frame> PacketBed::send_and_expect(unsigned input, std::vector<Frame> frames, unsigned output) {
    return checked([&] { return impl_->bed.send_and_expect(input, std::move(frames), output); });
}

std::vector<Frame> PacketBed::send_and_expect_only(unsigned input, std::vector<Frame> frames,
                                                   unsigned output) {
    return checked([&] { return impl_->bed.send_and_expect_only(input, std::move(frames), output); });
}

void PacketBed::send_and_assert_no_replies(unsigned input, std::vector<Frame> frames, Seconds timeout) {
    checked([&] {
        impl_->bed.send_and_assert_no_replies(input, std::move(frames), {}, timeout);
        return 0;
    });
}

PacketInfo PacketBed::create_packet_info(unsigned src, unsigned dst) {
    const auto& info = impl_->bed.create_packet_info(src, dst);
    return {info.index, info.src, info.dst};
}

std::string PacketBed::info_to_payload(const PacketInfo& info) {
    packet::PacketInfo full;
    full.index = info.index;
    full.src = info.src;
    full.dst = info.dst;
    return packet::info_to_payload(full);
}

PacketInfo PacketBed::payload_to_info(std::string_view payload) {
    const auto info = packet::payload_to_info(payload);
    return {info.index, info.src, info.dst};
}

void PacketBed::reset_packet_infos() {
    impl_->bed.infos().reset();
}

void PacketBed::assert_infos_match(const std::vector<Frame>& frames, unsigned dst) {
    checked([&] {
        impl_->bed.assert_infos_match(frames, dst);
        return 0;
    });
}

void PacketBed::assert_packet_checksums_valid(const Frame& frame) {
    if (const auto complaint = packet::checksum_complaint(frame); !complaint.empty()) {
        throw TestFail(fmt::format("{}: {}", packet::text(frame), complaint));
    }
}

void PacketBed::assert_packet_counter_equal(std::string_view counter, std::uint64_t expected) {
    checked([&] {
        impl_->bed.assert_counter_equal(std::string(counter), expected);
        return 0;
    });
}

std::string PacketBed::cli(std::string_view command, Seconds timeout) {
    return checked([&] { return impl_->ovs->cli(std::string(command), Deadline::after(timeout)); });
}

pid_t PacketBed::pid() const {
    return impl_->ovs->daemon()->pid();
}

std::string PacketBed::wait_for_line(std::string_view pattern, Seconds timeout) {
    return checked(
        [&] { return impl_->ovs->daemon()->wait_for_line(std::string(pattern), Deadline::after(timeout)); });
}

void PacketBed::signal(int number) {
    impl_->ovs->daemon()->signal(number);
}

void PacketBed::set_flows(std::string_view flows, bool replace) {
    checked([&] {
        impl_->ovs->set_flows(std::string(flows), replace);
        return 0;
    });
}

void PacketBed::set_access_vlan(unsigned pg_index, unsigned vlan) {
    checked([&] {
        impl_->ovs->set_access_vlan(pg_index, vlan);
        return 0;
    });
}

void PacketBed::set_trunk_vlans(unsigned pg_index, const std::vector<unsigned>& vlans) {
    checked([&] {
        impl_->ovs->set_trunk_vlans(pg_index, vlans);
        return 0;
    });
}

void PacketBed::verify_alive() {
    checked([&] {
        impl_->bed.check();
        return 0;
    });
}

}  // namespace vt::api
