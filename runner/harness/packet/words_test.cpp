// SPDX-License-Identifier: GPL-2.0-or-later
// The words of both daemons: golden texts and answers as they print them.
#include "runner/harness/packet/ovs.hpp"
#include "runner/harness/packet/ovs_bridge.hpp"
#include "runner/harness/packet/ovsdb.hpp"
#include "runner/harness/packet/vpp.hpp"
#include "runner/support/error.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace vt::packet {
namespace {

/// What VPP's framework makes of its test case's configuration, with a plugin path.
constexpr const char* golden_config = R"(
unix {
    nodaemon
    full-coredump
    coredump-size unlimited
    cli-listen localhost:5002
    runtime-dir /tmp/vpp-unittest-X
}

api-trace {
    on
}

api-segment {
    prefix vpp-unittest-X
}

socksvr {
    default
}

cpu {
    main-core 1
}

statseg {
    socket-name /tmp/vpp-unittest-X/stats.sock
}

plugins {
    path /a:/b
    plugin dpdk_plugin.so { disable }
    plugin unittest_plugin.so { enable }
}
)";

TEST_CASE("VPP's configuration is as its framework writes it") {
    VppConfig config;
    config.add("unix", "nodaemon", std::nullopt);
    config.add("unix", "full-coredump", std::nullopt);
    config.add("api-trace", "on", std::nullopt);
    config.add("socksvr", "default", std::nullopt);
    config.add("unix", "cli-listen", "localhost:5002");
    config.add("unix", "coredump-size", "unlimited");
    config.add("unix", "runtime-dir", "/tmp/vpp-unittest-X");
    config.add("api-segment", "prefix", "vpp-unittest-X");
    config.add("cpu", "main-core", "1");
    config.add("statseg", "socket-name", "/tmp/vpp-unittest-X/stats.sock");
    config.add("plugins", "path", "/a:/b");
    config.add_plugin("dpdk_plugin.so", "disable");
    config.add_plugin("unittest_plugin.so", "disable");
    config.add_plugin("unittest_plugin.so", "enable");
    CHECK(config.text() == golden_config);
    CHECK_THROWS_AS(config.add("unix", "colour", "red"), Error);
    CHECK_THROWS_AS(config.add("colours", "red", "1"), Error);
}

TEST_CASE("the packet generator's commands") {
    CHECK(vpp_command::create_interface(3) == "create packet-generator interface pg3");
    CHECK(vpp_command::capture(3, "/t/pg3_out.pcap") == "packet-generator capture pg3 pcap /t/pg3_out.pcap");
    CHECK(vpp_command::new_stream(3, "/t/pg3_in.pcap", "pcap4") ==
          "packet-generator new pcap /t/pg3_in.pcap source pg3 name pcap4");
    CHECK(vpp_command::delete_stream("pcap4") == "packet-generator delete pcap4");
    CHECK(vpp_command::trace() == "trace add pg-input 50");
    CHECK(vpp_command::enable() == "packet-generator enable");
}

TEST_CASE("VPP's answers are read") {
    const std::string interfaces =
        "              Name               Idx    State  MTU (L3/IP4/IP6/MPLS)     Counter          Count\n"
        "local0                            0     down          0/0/0/0\n"
        "pg0                               1      up          9000/0/0/0     rx packets                    "
        "12\n"
        "                                                                    rx bytes                    "
        "1200\n"
        "pg10                              2     down         9000/0/0/0\n";
    const std::string hardware =
        "              Name                Idx   Link  Hardware\n"
        "pg0                                1     up   pg0\n"
        "  Link speed: unknown\n"
        "  Ethernet address 02:fe:11:22:33:44\n"
        "pg10                               2    down  pg10\n"
        "  Ethernet address 02:fe:55:66:77:88\n";
    const auto facts = vpp_facts(interfaces, hardware, "pg10");
    CHECK(facts.sw_if_index == 2);
    CHECK(facts.mac == "02:fe:55:66:77:88");
    CHECK(vpp_facts(interfaces, hardware, "pg0").mac == "02:fe:11:22:33:44");
    CHECK_THROWS_AS(vpp_facts(interfaces, hardware, "pg1"), Error);
    const std::string errors =
        "   Count                    Node                  Reason\n"
        "        10                ip4-input               ip4 ttl <= 1\n";
    CHECK(vpp_error_counter(errors, "ip4-input") == 10);
    CHECK_FALSE(vpp_error_counter(errors, "ip6-input"));
}

TEST_CASE("words of a command for Open vSwitch") {
    using Words = std::vector<std::string>;
    CHECK(command_words("fdb/show br0") == Words{"fdb/show", "br0"});
    CHECK(command_words(" ofproto/trace  br0 'in_port=1, ip' \"\" ") ==
          Words{"ofproto/trace", "br0", "in_port=1, ip", ""});
    CHECK(command_words("").empty());
    CHECK_THROWS_AS(command_words("a 'b"), Error);
    CHECK(port_kind_of("veth") == PortKind::veth);
    CHECK_THROWS_AS(port_kind_of("wire"), Error);
}

TEST_CASE("counters of interfaces are read where the datapath shows them") {
    const std::string shown =
        "dummy@ovs-dummy:\n  lookups: hit:11149 missed:2 lost:0\n  flows: 2\n"
        "  port 1: pg1 (dummy: pstream=punix:/r/pg1.sock)\n"
        "    RX packets:11150 errors:? dropped:? overruns:? frame:?\n"
        "    TX packets:1 errors:? dropped:? aborted:? carrier:?\n    collisions:?\n"
        "    RX bytes:8094275 (7.7 MiB)  TX bytes:64\n"
        "  port 2: pg10 (dummy)\n    RX packets:7 errors:?\n    RX bytes:? TX bytes:9\n";
    CHECK(interface_counter(shown, "pg1/rx_packets") == 11150);
    CHECK(interface_counter(shown, "pg1/tx_packets") == 1);
    CHECK(interface_counter(shown, "pg1/tx_bytes") == 64);
    CHECK(interface_counter(shown, "pg10/rx_packets") == 7);
    CHECK_FALSE(interface_counter(shown, "pg10/rx_bytes"));
    CHECK_FALSE(interface_counter(shown, "pg2/rx_packets"));
    CHECK_FALSE(interface_counter(shown, "pg1"));
}

TEST_CASE("rows of a new port") {
    InterfaceRow row;
    row.name = "pg0";
    row.type = "dummy";
    row.options = {{"tx_pcap", "/t/pg0_tx.pcap"}};
    row.ofport = 4;
    const auto operations = add_port_operations("br0", row);
    REQUIRE(operations.size() == 3);
    CHECK(operations[0]["row"] ==
          nlohmann::json::parse(R"({"name": "pg0", "type": "dummy", "ofport_request": 4,
        "mtu_request": 1500, "options": ["map", [["tx_pcap", "/t/pg0_tx.pcap"]]]})"));
    CHECK(operations[2]["where"] == nlohmann::json::parse(R"([["name", "==", "br0"]])"));
}

}  // namespace
}  // namespace vt::packet
