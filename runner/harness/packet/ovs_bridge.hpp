// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The words of Open vSwitch: rows of its database (ovs-vswitchd.conf.db(5)), commands and answers of its
/// control socket; not for others.
#pragma once

#include "runner/harness/packet/adapter.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::packet {

class Ovsdb;

/// An interface as the database has it.
struct InterfaceRow {
    std::string name;
    std::string type;
    std::map<std::string, std::string> options;
    int ofport = 0;
    std::size_t mtu = 1500;
};

/// The switch's row and a learning bridge that needs no controller.
nlohmann::json initial_operations(const std::string& bridge, const std::string& datapath);
/// A port with one interface joins \p bridge.
nlohmann::json add_port_operations(const std::string& bridge, const InterfaceRow& row);
nlohmann::json update_port_operation(const std::string& port, const nlohmann::json& row);

/// What the switch has made of interface \p name. Throws Error with the switch's words if it could not.
PortFacts facts_of(Ovsdb& database, const std::string& name, const Deadline& deadline);
/// Of all interfaces.
std::vector<PortFacts> all_facts(Ovsdb& database, const Deadline& deadline);

/// The words of a command; quotes hold words together. Throws Error for a quote without an end.
std::vector<std::string> command_words(const std::string& command);
/// "pg0/rx_packets" in the answer to dpctl/show -s.
std::optional<std::uint64_t> interface_counter(const std::string& shown, const std::string& name);

}  // namespace vt::packet
