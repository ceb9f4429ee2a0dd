// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/test_bed.hpp"

#include "runner/harness/packet/ovs.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <csignal>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace vt::packet {
namespace {

/// A daemon that is none: what goes into an interface comes out of the other.
class Wire : public Adapter {
  public:
    std::string name() const override { return "wire"; }
    void start() override {}
    Daemon* daemon() override { return nullptr; }
    void stop() override {}
    std::string cli(const std::string& command, const Deadline& /*deadline*/) override { return command; }
    PortFacts create_pg_interface(unsigned pg_index) override {
        PortFacts facts;
        facts.pg_index = pg_index;
        facts.sw_if_index = static_cast<int>(pg_index) + 1;
        facts.name = "pg" + std::to_string(pg_index);
        return facts;
    }
    std::unique_ptr<GrowingPcap> begin_capture(unsigned pg_index,
                                               const std::filesystem::path& file) override {
        files[pg_index] = file;
        return std::make_unique<GrowingPcap>(file);
    }
    void generate(const std::vector<Stream>& streams, const Deadline& /*deadline*/) override {
        for (const auto& stream : streams) {
            write_pcap(files.at(1 - stream.pg_index), stream.frames);
        }
    }
    std::optional<std::uint64_t> counter(const std::string& name) override {
        return name == "known" ? std::optional<std::uint64_t>(3) : std::nullopt;
    }
    std::string trace(unsigned /*pg_index*/, const Frame& /*frame*/) override { return "through the wire"; }

    std::map<unsigned, std::filesystem::path> files;
};

struct Fixture {
    Fixture() : directory("vt-bed-"), bed(std::make_shared<Wire>(), directory.path()) {
        log::set_sink([](auto, auto, auto) {});
        bed.start();
        bed.create_pg_interfaces(2);
    }
    ~Fixture() { log::set_sink({}); }
    static Frame frame(const std::string& data) {
        return udp_frame({"02:00:00:00:00:01", "10.0.0.1", 1}, {"02:00:00:00:00:02", "10.0.0.2", 2}, data);
    }

    TempDirectory directory;
    TestBed bed;
};

TEST_CASE_FIXTURE(Fixture, "what is sent is captured, and nothing else") {
    CHECK(bed.send_and_expect_only(0, {frame("one"), frame("two")}, 1) ==
          std::vector<Frame>{frame("one"), frame("two")});
    CHECK(read_pcap(bed.pg(0).in_path).size() == 2);
    CHECK(bed.send_and_expect(1, {frame("back")}, 0).size() == 1);
    CHECK(std::filesystem::exists(directory.path() / "history.0000.pg1_out.pcap"));
}

TEST_CASE_FIXTURE(Fixture, "more, fewer and unwanted frames are told of, with an aid for who looks") {
    bed.add_stream(0, {frame("one"), frame("two")});
    bed.enable_captures();
    bed.pg_start(Deadline::after(Seconds{10}));
    CHECK_THROWS_AS(bed.get_capture(1, 1, Deadline::after(Seconds{10})), CaptureError);
    CHECK(read_file(directory.path() / "debug_pg1_0_count-mismatch.trace").find("through the wire") !=
          std::string::npos);
    CHECK(read_pcap(directory.path() / "debug_pg1_0_count-mismatch.pcap").size() == 2);
    CHECK_THROWS_WITH_AS(bed.get_capture(1, 1, Deadline::after(Seconds{0.01})),
                         "No packets captured on pg1: 1 were expected within 0.01 s", CaptureError);
    CHECK_THROWS_AS(bed.send_and_assert_no_replies(0, {frame("x")}, "a remark", Seconds{5}), CaptureError);
    CHECK_THROWS_AS(bed.get_capture(7, 1, Deadline::after(Seconds{0})), Error);
}

TEST_CASE_FIXTURE(Fixture, "frames are had one by one") {
    bed.add_stream(0, {frame("one"), frame("two"), frame("three")});
    bed.enable_captures();
    bed.pg_start(Deadline::after(Seconds{10}));
    const auto soon = Deadline::after(Seconds{10});
    CHECK(bed.has_captured(1, soon));
    CHECK(bed.next_frame(1, {}, soon) == frame("one"));
    CHECK(bed.next_frame(1, {}, soon) == frame("two"));
    CHECK(bed.collect(1, 1, {}, soon) == std::vector<Frame>{frame("three")});
    CHECK(bed.next_frame(1, {}, Deadline::after(Seconds{0.01})) == std::nullopt);
}

TEST_CASE_FIXTURE(Fixture, "infos and counters") {
    std::vector<Frame> frames;
    for (int i = 0; i < 3; ++i) {
        frames.push_back(frame(info_to_payload(bed.create_packet_info(0, 1))));
    }
    const auto captured = bed.send_and_expect(0, frames, 1);
    bed.assert_infos_match(captured, 1);
    CHECK_THROWS_AS(bed.assert_infos_match(captured, 0), CaptureError);
    bed.assert_counter_equal("known", 3);
    CHECK_THROWS_AS(bed.assert_counter_equal("known", 4), CaptureError);
    CHECK_THROWS_AS(bed.assert_counter_equal("unknown", 0), CaptureError);
}

TEST_CASE("Open vSwitch: one packet through, an interface twice, a death") {
    if (OvsSwitch::obstacle() || !process::find_program("ovs-vswitchd")) {
        MESSAGE("Open vSwitch cannot be run here");
        return;
    }
    log::set_sink([](auto, auto, auto) {});
    const TempDirectory run("vt-ovs-");
    const TempDirectory directory("vt-bed-");
    IoLoop loop;
    OvsOptions options;
    options.directory = directory.path();
    options.run_directory = run.path();
    auto ovs = std::make_shared<OvsSwitch>(loop, options);
    TestBed bed(ovs, directory.path());
    bed.start();
    bed.create_pg_interfaces(2);
    CHECK(bed.send_and_expect_only(0, {Fixture::frame("through")}, 1) ==
          std::vector<Frame>{Fixture::frame("through")});
    CHECK_THROWS_WITH_AS(bed.create_pg_interface(1), "there is an interface pg1 already", Error);
    CHECK_THROWS_AS(ovs->cli("no/such/command", Deadline::after(Seconds{10})), Error);
    bed.enable_captures();
    ovs->daemon()->signal(SIGKILL);
    CHECK_THROWS_AS(bed.get_capture(0, 1, Deadline::after(Seconds{30})), DaemonDied);
    CHECK_THROWS_AS(ovs->cli("version", Deadline::after(Seconds{10})), DaemonDied);
    CHECK_THROWS_AS(bed.create_pg_interface(5), DaemonDied);
    log::set_sink({});
}

}  // namespace
}  // namespace vt::packet
