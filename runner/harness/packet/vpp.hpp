// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// VPP under test: its start-up configuration and the commands of its packet generator, as VPP's own
/// framework words them, and the daemon that they go to where one is on the host.
#pragma once

#include "runner/harness/packet/adapter.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace vt::packet {

/// The start-up configuration: stanzas with keys, in VPP's order.
class VppConfig {
  public:
    /// Sets a key; no value for a key that stands alone. Throws Error for a stanza or key that VPP does not
    /// know.
    void add(const std::string& stanza, const std::string& key, const std::optional<std::string>& value);
    /// What becomes of a plugin ("enable", "disable").
    void add_plugin(const std::string& name, const std::optional<std::string>& state);
    /// As a file has it.
    std::string text() const;

  private:
    std::map<std::string, std::map<std::string, std::optional<std::string>>> values_;
    std::vector<std::pair<std::string, std::optional<std::string>>> plugins_;
};

/// The packet generator's commands.
namespace vpp_command {
std::string create_interface(unsigned pg_index);
std::string capture(unsigned pg_index, const std::filesystem::path& file);
std::string new_stream(unsigned pg_index, const std::filesystem::path& file, const std::string& name);
std::string delete_stream(const std::string& name);
std::string trace();
std::string enable();
}  // namespace vpp_command

/// The name, number and MAC of interface \p name in the answers to "show interface" and "show
/// hardware-interfaces". Throws Error if it is not there.
PortFacts vpp_facts(const std::string& interfaces, const std::string& hardware, const std::string& name);
/// The counter \p name in the answer to "show errors".
std::optional<std::uint64_t> vpp_error_counter(const std::string& errors, const std::string& name);

/// VPP. Commands go through `vppctl -s` to a socket of the test's own.
class VppDaemon : public Adapter {
  public:
    /// \param command_line program and configuration; the socket is added to it
    /// \param stats_socket where statistics are to be had
    VppDaemon(IoLoop& loop, std::vector<std::string> command_line, std::filesystem::path directory,
              std::filesystem::path stats_socket, std::function<void(Daemon&)> launched);
    ~VppDaemon() override;

    std::string name() const override { return "vpp"; }
    void start() override;
    Daemon* daemon() override { return daemon_.get(); }
    void stop() override;
    std::string cli(const std::string& command, const Deadline& deadline) override;
    PortFacts create_pg_interface(unsigned pg_index) override;
    std::unique_ptr<GrowingPcap> begin_capture(unsigned pg_index, const std::filesystem::path& file) override;
    void generate(const std::vector<Stream>& streams, const Deadline& deadline) override;
    std::optional<std::uint64_t> counter(const std::string& name) override;
    std::string trace(unsigned pg_index, const Frame& frame) override;

    PortFacts facts_of(const std::string& name);
    /// Streams of an earlier start.
    void forget_streams(const std::vector<std::string>& names);
    /// False if the socket of statistics is not there by \p deadline.
    bool wait_for_stats(const Deadline& deadline);

  private:
    IoLoop& loop_;
    DaemonOptions options_;
    std::filesystem::path socket_;
    std::filesystem::path stats_socket_;
    std::function<void(Daemon&)> launched_;
    std::unique_ptr<Daemon> daemon_;
};

}  // namespace vt::packet
