// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Open vSwitch under test: a database server and a switch of the test's own, with the userspace datapath, in
/// a network namespace that goes with the test. The host's own switch and its database are never asked.
///
/// A packet generator interface is by default one without a kernel: the switch's dummy device, which takes
/// frames from a Unix socket and writes what it sends to a capture. veth and tap make it a real one.
#pragma once

#include "runner/harness/packet/adapter.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::packet {

/// What packet generator interfaces are.
enum class PortKind { dummy, veth, tap };
/// "dummy", "veth", "tap". Throws Error for other words.
PortKind port_kind_of(const std::string& word);

/// How the switch is run.
struct OvsOptions {
    std::filesystem::path directory;  ///< logs, captures, cores
    /// Sockets and the database; short, as the paths of sockets are limited to 107 bytes.
    std::filesystem::path run_directory;
    std::string program = "ovs-vswitchd";
    std::string bridge = "br0";
    PortKind ports = PortKind::dummy;
    std::size_t mtu = 1500;  ///< of the interfaces
    Settings settings;
    Seconds start_timeout{30};
    std::optional<process::KeepAlive> keep_alive;
    std::optional<process::StopRule> stop;
    /// Called when the switch runs and is not ready yet: a person may attach a debugger. May be empty.
    std::function<void(Daemon& daemon)> launched;
};

/// The switch. Calls come from one thread at a time.
class OvsSwitch : public Adapter {
  public:
    /// Starts nothing. \p loop must outlive the object. Throws Error where no network namespace can be made.
    OvsSwitch(IoLoop& loop, OvsOptions options);
    ~OvsSwitch() override;

    /// Why it cannot run here, with what is needed; nothing if it can.
    static std::optional<std::string> obstacle();

    std::string name() const override { return "ovs"; }
    void start() override;
    Daemon* daemon() override;
    void stop() override;
    /// A command of ovs-appctl ("fdb/show br0"); words in quotes are one.
    std::string cli(const std::string& command, const Deadline& deadline) override;
    PortFacts create_pg_interface(unsigned pg_index) override;
    std::unique_ptr<GrowingPcap> begin_capture(unsigned pg_index, const std::filesystem::path& file) override;
    void generate(const std::vector<Stream>& streams, const Deadline& deadline) override;
    /// "/if/pg0/rx_packets" (tx_, _bytes): of an interface in the datapath; any other word: a coverage
    /// counter.
    std::optional<std::uint64_t> counter(const std::string& name) override;
    /// ofproto/trace of the frame.
    std::string trace(unsigned pg_index, const Frame& frame) override;

    /// An interface of the switch's own, with nothing behind it.
    PortFacts create_loopback(const std::string& name);
    void delete_port(const std::string& name);
    /// The interface takes and gives frames of VLAN \p tag untagged.
    void set_access_vlan(unsigned pg_index, unsigned tag);
    /// The interface takes and gives tagged frames of \p vlans; none: of all.
    void set_trunk_vlans(unsigned pg_index, const std::vector<unsigned>& vlans);
    /// Adds flows in ovs-ofctl's words, one a line ("priority=10,in_port=1,actions=drop"); replaces all there
    /// are if \p replace. Throws Error with ovs-ofctl's words.
    void set_flows(const std::string& flows, bool replace);
    /// A transaction on the database, taken up by the switch when it returns; JSON in and out (RFC 7047).
    nlohmann::json configure(const nlohmann::json& operations);
    /// Interfaces by name: number (ofport) and MAC.
    std::vector<PortFacts> interfaces();
    const std::shared_ptr<const NetworkNamespace>& network() const;
    /// The control socket of the switch, for ovs-appctl -t.
    std::filesystem::path control_socket() const;

  private:
    void settle();

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt::packet
