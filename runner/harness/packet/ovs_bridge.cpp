// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/ovs_bridge.hpp"

#include "runner/harness/packet/ovsdb.hpp"
#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace vt::packet {

using Json = nlohmann::json;

namespace {

const Json& interface_columns() {
    static const Json columns{"name", "ofport", "mac_in_use", "error"};
    return columns;
}

PortFacts facts_in(const Json& row) {
    PortFacts facts;
    facts.name = row.value("name", std::string());
    // What has no value is an empty set.
    facts.sw_if_index = row["ofport"].is_number_integer() ? row["ofport"].get<int>() : -1;
    facts.mac = row["mac_in_use"].is_string() ? row["mac_in_use"].get<std::string>() : std::string();
    return facts;
}

}  // namespace

Json initial_operations(const std::string& bridge, const std::string& datapath) {
    const Json interface {
        {"name", bridge}, { "type", "internal" }
    };
    return Json::array({
        {{"op", "insert"}, {"table", "Interface"}, {"row", interface}, {"uuid-name", "own_interface"}},
        {{"op", "insert"},
         {"table", "Port"},
         {"row", {{"name", bridge}, {"interfaces", Json::array({"named-uuid", "own_interface"})}}},
         {"uuid-name", "own_port"}},
        {{"op", "insert"},
         {"table", "Bridge"},
         {"row",
          {{"name", bridge},
           {"datapath_type", datapath},
           {"fail_mode", "standalone"},
           {"ports", Json::array({"named-uuid", "own_port"})}}},
         {"uuid-name", "own_bridge"}},
        {{"op", "insert"},
         {"table", "Open_vSwitch"},
         {"row", {{"bridges", Json::array({"named-uuid", "own_bridge"})}}}},
    });
}

Json add_port_operations(const std::string& bridge, const InterfaceRow& row) {
    return Json::array({
        {{"op", "insert"},
         {"table", "Interface"},
         {"row",
          {{"name", row.name},
           {"type", row.type},
           {"options", ovsdb_map(row.options)},
           {"ofport_request", row.ofport},
           {"mtu_request", row.mtu}}},
         {"uuid-name", "new_interface"}},
        {{"op", "insert"},
         {"table", "Port"},
         {"row", {{"name", row.name}, {"interfaces", Json::array({"named-uuid", "new_interface"})}}},
         {"uuid-name", "new_port"}},
        {{"op", "mutate"},
         {"table", "Bridge"},
         {"where", ovsdb_named(bridge)},
         {"mutations",
          Json::array({Json::array(
              {"ports", "insert",
               Json::array({"set", Json::array({Json::array({"named-uuid", "new_port"})})})})})}},
    });
}

Json update_port_operation(const std::string& port, const Json& row) {
    return {{"op", "update"}, {"table", "Port"}, {"where", ovsdb_named(port)}, {"row", row}};
}

PortFacts facts_of(Ovsdb& database, const std::string& name, const Deadline& deadline) {
    const auto results = database.transact(Json::array({{{"op", "select"},
                                                         {"table", "Interface"},
                                                         {"where", ovsdb_named(name)},
                                                         {"columns", interface_columns()}}}),
                                           deadline);
    const auto& rows = results[0]["rows"];
    if (rows.empty()) {
        throw Error(fmt::format("the switch has no interface {}", name));
    }
    const auto facts = facts_in(rows[0]);
    if (rows[0]["error"].is_string() || facts.sw_if_index < 0) {
        throw Error(fmt::format(
            "the switch could not make interface {}: {}", name,
            rows[0]["error"].is_string() ? rows[0]["error"].get<std::string>() : "it has no number"));
    }
    return facts;
}

std::vector<PortFacts> all_facts(Ovsdb& database, const Deadline& deadline) {
    const auto results = database.transact(Json::array({{{"op", "select"},
                                                         {"table", "Interface"},
                                                         {"where", Json::array()},
                                                         {"columns", interface_columns()}}}),
                                           deadline);
    std::vector<PortFacts> found;
    for (const auto& row : results[0]["rows"]) {
        found.push_back(facts_in(row));
    }
    return found;
}

std::vector<std::string> command_words(const std::string& command) {
    std::vector<std::string> words;
    std::string word;
    bool begun = false;
    char quote = '\0';
    for (const char c : command) {
        if (quote != '\0') {
            if (c == quote) {
                quote = '\0';
            } else {
                word += c;
            }
        } else if (c == '"' || c == '\'') {
            quote = c;
            begun = true;
        } else if (c == ' ' || c == '\t' || c == '\n') {
            if (begun) {
                words.push_back(std::exchange(word, {}));
            }
            begun = false;
        } else {
            word += c;
            begun = true;
        }
    }
    if (quote != '\0') {
        throw Error(fmt::format("the command \"{}\" has a quote without an end", command));
    }
    if (begun) {
        words.push_back(word);
    }
    return words;
}

std::optional<std::uint64_t> interface_counter(const std::string& shown, const std::string& name) {
    const auto slash = name.find('/');
    if (slash == std::string::npos) {
        return std::nullopt;
    }
    const auto interface = name.substr(0, slash);
    auto words = split(name.substr(slash + 1), '_');
    if (words.size() != 2) {
        return std::nullopt;
    }
    const std::string direction = words[0] == "rx" ? "RX" : "TX";
    const auto wanted = fmt::format("{} {}:", direction, words[1]);
    // "  port 1: pg0 (dummy: …)", then lines as "    RX packets:3 errors:?" and "    RX bytes:64 (…)  TX
    // bytes:0".
    bool there = false;
    for (const auto& line : split(shown, '\n')) {
        const auto text = std::string(trim(line));
        if (text.rfind("port ", 0) == 0) {
            const auto parts = split_words(text);
            there = parts.size() > 2 && (parts[2] == interface || parts[2] == interface + "-sw");
        } else if (there && text.find(wanted) != std::string::npos) {
            const auto at = text.find(wanted) + wanted.size();
            std::uint64_t value = 0;
            const auto result = std::from_chars(text.data() + at, text.data() + text.size(), value);
            return result.ec == std::errc{} ? std::optional(value) : std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace vt::packet
