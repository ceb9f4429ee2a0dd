// SPDX-License-Identifier: GPL-2.0-or-later
// The machine as it is stored with a kept VM, and two machines compared.
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/devices/machine.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using nlohmann::json;

template <typename Enum>
Enum from_name(std::string_view name, int count) {
    for (int i = 0; i < count; ++i) {
        if (name_of(static_cast<Enum>(i)) == name) {
            return static_cast<Enum>(i);
        }
    }
    throw Error(fmt::format("\"{}\" is unknown in a stored machine", name));
}

/// Pairs, as an object would lose the order. File names may be no UTF-8; such a machine is found to differ,
/// which costs a restart and no more.
json pairs(const Props& props) {
    auto array = json::array();
    for (const auto& [name, value] : props) {
        array.push_back({name, value.json()});
    }
    return array;
}

json node_json(const Node& node) {
    json out = {{"qid", node.qid},
                {"form", name_of(node.form)},
                {"driver", node.driver},
                {"props", pairs(node.props)},
                {"state", name_of(node.state)}};
    if (!node.extra.empty()) {
        out["extra"] = node.extra;
    }
    if (!node.needs.empty()) {
        out["needs"] = node.needs;
    }
    if (!node.origin.empty()) {
        out["origin"] = node.origin;
    }
    if (node.address.kind != BusKind::none) {
        out["address"] = {
            {"kind", name_of(node.address.kind)}, {"bus", node.address.bus}, {"at", node.address.at}};
    }
    return out;
}

Node node_from(const json& in) {
    Node node;
    node.qid = in.at("qid");
    node.form = from_name<Form>(in.at("form").get<std::string>(), 10);
    node.driver = in.at("driver");
    for (const auto& pair : in.at("props")) {
        node.props.set(pair.at(0).get<std::string>(), Value::from_json(pair.at(1)));
    }
    node.state = from_name<NodeState>(in.at("state").get<std::string>(), 6);
    node.extra = in.value("extra", "");
    node.needs = in.value("needs", std::vector<std::string>());
    node.origin = in.value("origin", "");
    if (const auto address = in.find("address"); address != in.end()) {
        node.address = {from_name<BusKind>(address->at("kind").get<std::string>(), 14),
                        address->at("bus").get<std::string>(), address->at("at").get<std::vector<int>>()};
    }
    return node;
}

std::string differing(const Node& mine, const Node& other) {
    for (const auto& [name, value] : mine.props) {
        const auto* theirs = other.props.find(name);
        if (theirs == nullptr || !(*theirs == value)) {
            return fmt::format("{} of {} is \"{}\" and would be \"{}\"", name.empty() ? "the value" : name,
                               mine.qid, value.text(), theirs == nullptr ? "" : theirs->text());
        }
    }
    return fmt::format("{} would differ", mine.qid);
}

}  // namespace

json Machine::to_json() const {
    auto nodes = json::array();
    for (const auto& node : nodes_) {
        nodes.push_back(node_json(*node));
    }
    auto reserved = json::array();
    for (const auto& one : reserved_) {
        reserved.push_back({{"bus", one.bus}, {"at", one.at}, {"holder", one.holder}});
    }
    return {{"version", version},    {"type", type_},        {"arch", arch_},
            {"defaults", defaults_}, {"reserved", reserved}, {"nodes", nodes}};
}

Machine Machine::from_json(const json& in, const Capabilities& caps) {
    if (in.at("version") != version) {
        throw Error(fmt::format("a stored machine of version {}, not {}", in.at("version").dump(), version));
    }
    Machine machine(in.at("type"), in.at("arch"), in.at("defaults"));
    for (const auto& one : in.at("reserved")) {
        machine.reserve(one.at("bus").get<std::string>(), one.at("at").get<std::vector<int>>(),
                        one.at("holder").get<std::string>());
    }
    for (const auto& entry : in.at("nodes")) {
        machine.insert(node_from(entry), caps);
    }
    return machine;
}

std::optional<std::string> Machine::difference(const Machine& other) const {
    if (type_ != other.type_ || arch_ != other.arch_ || defaults_ != other.defaults_) {
        return fmt::format("the machine type is {} and would be {}", type_, other.type_);
    }
    const auto common = std::min(nodes_.size(), other.nodes_.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (nodes_[i]->qid != other.nodes_[i]->qid) {
            return fmt::format("where {} is, {} would be", nodes_[i]->qid, other.nodes_[i]->qid);
        }
        if (!nodes_[i]->same_as(*other.nodes_[i])) {
            return differing(*nodes_[i], *other.nodes_[i]);
        }
    }
    if (nodes_.size() > common) {
        return fmt::format("{} would not be there", nodes_[common]->qid);
    }
    if (other.nodes_.size() > common) {
        return fmt::format("{} would be there, too", other.nodes_[common]->qid);
    }
    return std::nullopt;
}

}  // namespace vt::qemu
