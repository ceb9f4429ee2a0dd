// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/verbs/compare.hpp"

#include "runner/monitor/qmp.hpp"
#include "runner/support/strings.hpp"

#include <map>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using nlohmann::json;
using Names = std::set<std::string>;

Names children(QmpMonitor& monitor, const char* path, const Deadline& deadline) {
    Names names;
    for (const auto& entry : monitor.command("qom-list", {{"path", path}}, deadline)) {
        if (entry.value("type", "").starts_with("child<")) {
            names.insert(entry.value("name", ""));
        }
    }
    return names;
}

Names field(QmpMonitor& monitor, const char* command, const char* name, const Deadline& deadline) {
    Names names;
    for (const auto& entry : monitor.command(command, deadline)) {
        names.insert(entry.value(name, ""));
    }
    return names;
}

struct PciPlace {
    std::string bridge;  ///< qdev id of the bridge that it is behind
    int slot = 0, function = 0;
};

void collect(const json& devices, const std::string& bridge, std::map<std::string, PciPlace>& places) {
    for (const auto& device : devices) {
        const auto id = device.value("qdev_id", "");
        if (!id.empty()) {
            places[id] = {bridge, device.value("slot", -1), device.value("function", -1)};
        }
        if (const auto inner = device.find("pci_bridge");
            inner != device.end() && inner->contains("devices")) {
            collect(inner->at("devices"), id, places);
        }
    }
}

class Comparison {
  public:
    Comparison(const Machine& machine, QmpMonitor& monitor, const Deadline& deadline, const Names& foreign)
        : machine_(machine), monitor_(monitor), deadline_(deadline), foreign_(foreign) {}

    std::vector<std::string> run() {
        both_ways("device", ours(Form::device), children(monitor_, "/machine/peripheral", deadline_));
        auto objects = children(monitor_, "/objects", deadline_);
        std::erase_if(objects, [](const std::string& name) {
            return name == "ram" || name.ends_with(".ram");
        });  // QEMU's own
        both_ways("object", ours(Form::object), objects);
        auto nodes = field(monitor_, "query-named-block-nodes", "node-name", deadline_);
        std::erase_if(nodes, [](const std::string& name) { return name.starts_with('#'); });
        both_ways("block node", ours(Form::blockdev), nodes);
        missing("character device", ours(Form::chardev),
                field(monitor_, "query-chardev", "label", deadline_));
        pci();
        return std::move(found_);
    }

  private:
    Names ours(Form form) const {
        Names names;
        for (const auto& node : machine_.nodes()) {
            if (node->form == form && node->state != NodeState::planned) {
                names.insert(node->qid);
            }
        }
        return names;
    }

    void missing(const char* what, const Names& wanted, const Names& there) {
        for (const auto& name : wanted) {
            if (!there.contains(name)) {
                found_.push_back(fmt::format("QEMU has no {} {}", what, name));
            }
        }
    }

    void both_ways(const char* what, const Names& wanted, const Names& there) {
        missing(what, wanted, there);
        for (const auto& name : there) {
            if (!wanted.contains(name) && !foreign_.contains(name)) {
                found_.push_back(fmt::format("QEMU has a {} {} that the model does not have", what, name));
            }
        }
    }

    void pci() {
        std::map<std::string, PciPlace> places;
        for (const auto& bus : monitor_.command("query-pci", deadline_)) {
            collect(bus.at("devices"), "", places);
        }
        for (const auto& node : machine_.nodes()) {
            const Bus* bus = node->form == Form::device ? machine_.bus(node->address.bus) : nullptr;
            const auto place = places.find(node->qid);
            if (bus == nullptr || node->state == NodeState::planned || place == places.end() ||
                (bus->kind() != BusKind::pci && bus->kind() != BusKind::pcie)) {
                continue;
            }
            const PciPlace& found = place->second;
            const auto& at = node->address.at;
            // A bridge into which the guest has put no bus numbers yet hides what is behind it.
            if (found.slot != at.at(0) || found.function != at.at(1) || found.bridge != bus->owner()) {
                found_.push_back(
                    fmt::format("{} is at {} of bus {} and not at slot {}, function {} {}{}", node->qid,
                                text_of(node->address), bus->id(), found.slot, found.function,
                                found.bridge.empty() ? "of the root bus" : "behind ", found.bridge));
            }
        }
    }

    const Machine& machine_;
    QmpMonitor& monitor_;
    const Deadline& deadline_;
    const Names& foreign_;
    std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> compare_with_qemu(const Machine& machine, QmpMonitor& monitor,
                                           const Deadline& deadline, const std::set<std::string>& foreign) {
    return Comparison(machine, monitor, deadline, foreign).run();
}

std::set<std::string> ids_in_arguments(const std::vector<std::string>& arguments) {
    std::set<std::string> ids;
    for (const auto& word : arguments) {
        const auto object = word.starts_with('{') ? json::parse(word, nullptr, false) : json();
        for (const char* key : {"id", "node-name"}) {
            if (object.is_object() && object.contains(key) && object[key].is_string()) {
                ids.insert(object[key].get<std::string>());
            }
        }
        for (const auto& [name, value] : parse_option_text(word)) {
            if (name == "id" || name == "node-name") {
                ids.insert(value.text());
            }
        }
    }
    return ids;
}

}  // namespace vt::qemu
