// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/devices/machine.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>

#include <fmt/core.h>

namespace vt::qemu {

namespace {

/// Ids of devices, objects and so on are each other's rivals only within their sort.
int name_space(Form form) {
    return form == Form::drive ? static_cast<int>(Form::blockdev) : static_cast<int>(form);
}

bool is_pci(BusKind kind) {
    return kind == BusKind::pci || kind == BusKind::pcie;
}

std::string describe(const Node& node) {
    return fmt::format("{} {} ({})", name_of(node.form), node.qid, node.driver);
}

}  // namespace

Machine::Machine(std::string type, std::string arch, bool defaults)
    : type_(std::move(type)),
      arch_(std::move(arch)),
      defaults_(defaults),
      buses_(buses_of_machine(type_, arch_, defaults)) {}

NodePtr Machine::insert(NodePtr node, const Capabilities& caps, Moment moment) {
    for (const auto& other : nodes_) {
        if (other == node || (other->qid == node->qid && name_space(other->form) == name_space(node->form))) {
            throw ModelError(
                fmt::format("the machine has a {} with the id {} already ({}); give one of them another name",
                            name_of(node->form), node->qid, other->driver));
        }
    }
    for (const auto& needed : node->needs) {
        if (!find(needed)) {
            throw ModelError(
                fmt::format("{} needs {}, which the machine does not have", describe(*node), needed));
        }
    }
    if (node->form == Form::device) {
        place(*node, caps, moment);
    }
    nodes_.push_back(node);
    if (node->form == Form::device) {
        const char* const counted = node->driver.starts_with("virtio-serial") ? "max_ports"
                                    : node->driver == "pci-ohci"              ? "num-ports"
                                                                              : "p2";
        std::optional<int> count;
        if (const auto ports = node->param(counted); !ports.empty()) {
            count = std::atoi(ports.c_str());
        }
        for (auto& bus : buses_given_by(node->driver, node->qid, count)) {
            buses_.push_back(std::move(bus));
        }
        if (node->driver == "usb-hub") {
            // A hub's ports are on its controller's bus, named by the way to them.
            const Bus* under = bus(node->address.bus);
            Bus hub(fmt::format("{}:{}", under->qemu_name(), node->qid), BusKind::usb, node->qid, {{1, 8}},
                    true);
            hub.part_of(under->qemu_name(), fmt::format("{}{}.", under->prefix(), node->address.at.at(0)));
            buses_.push_back(std::move(hub));
        }
    }
    return node;
}

bool Machine::accepts(const Bus& bus, BusKind kind) const {
    if (kind == BusKind::pci) {
        return bus.kind() == BusKind::pci || (bus.kind() == BusKind::pcie && bus.id() == "pcie.0");
    }
    return kind == BusKind::pcie ? is_pci(bus.kind()) : bus.kind() == kind;
}

void Machine::throw_no_bus(const Node& node, Moment moment) const {
    const auto kind = node.address.kind;
    std::vector<std::string> known;
    for (const auto& bus : buses_) {
        if (accepts(bus, kind)) {
            known.push_back(bus.id());
        }
    }
    if (!node.address.bus.empty()) {
        throw AddressError(fmt::format("{} wants the {} bus {}, which the machine does not have; it has {}",
                                       describe(node), name_of(kind), node.address.bus,
                                       known.empty() ? "none of this kind" : join(known, ", ")));
    }
    const bool room_needed = moment == Moment::hot && !known.empty();
    throw AddressError(fmt::format(
        "the machine has no {} bus {} {}{}", name_of(kind),
        room_needed ? "with room that takes devices while the guest runs, for" : "for", describe(node),
        room_needed && kind == BusKind::pcie && has_pcie() ? "; raise pcie_extra_root_port"
        : room_needed                                      ? fmt::format("; there are {}", join(known, ", "))
                                                           : "; give it a controller"));
}

Bus& Machine::choose(const Node& node, Moment moment) {
    const auto kind = node.address.kind;
    if (!node.address.bus.empty()) {
        if (Bus* bus = find_bus(node.address.bus)) {
            return *bus;
        }
        throw_no_bus(node, moment);
    }
    Bus* full = nullptr;
    // A PCI Express device sits on a conventional bus only where there is no other.
    for (const bool same_kind : {true, false}) {
        for (auto& bus : buses_) {
            if (!accepts(bus, kind) || (kind == BusKind::pcie && (bus.kind() == kind) != same_kind) ||
                (moment == Moment::hot && !bus.hotpluggable())) {
                continue;
            }
            if (bus.free(node.address.at)) {
                return bus;
            }
            full = full == nullptr ? &bus : full;
        }
    }
    if (full == nullptr || moment == Moment::hot) {
        throw_no_bus(node, moment);
    }
    return *full;
}

/// Eight root ports share a slot, so that the root bus has room for many.
Address Machine::root_port_address() const {
    const Bus& root = *bus("pcie.0");
    for (const auto& node : nodes_) {
        if (node->driver != "pcie-root-port" || node->address.bus != "pcie.0" ||
            node->address.at.at(1) != 0) {
            continue;
        }
        const auto* many = node->props.find("multifunction");
        if (many == nullptr || !(*many == Value(true))) {
            continue;
        }
        for (int function = 1; function < 8; ++function) {
            if (const auto at = root.free({node->address.at.at(0), function})) {
                return {BusKind::pcie, "pcie.0", *at};
            }
        }
    }
    return {BusKind::pcie, "pcie.0", {}};
}

int Machine::next_chassis() const {
    std::int64_t highest = 0;
    for (const auto& node : nodes_) {
        if (const auto* chassis = node->props.find("chassis")) {
            highest = std::max(highest, chassis->number().value_or(0));
        }
    }
    return static_cast<int>(highest) + 1;
}

NodePtr Machine::add_root_port(const std::string& id, const Capabilities& caps, const std::string& extra) {
    Node port;
    port.qid = id;
    port.driver = "pcie-root-port";
    port.address = root_port_address();
    const int chassis = next_chassis();
    port.props.set("port", chassis).set("chassis", chassis);
    if (port.address.at.empty()) {
        port.props.set("multifunction", true);
    }
    port.extra = extra;
    return insert(std::move(port), caps);
}

/// As QEMU does, the last port of a controller gets a hub, so that there are always ports left.
std::string Machine::usb_bus_with_room(const std::string& id, const Node& node, const Capabilities& caps,
                                       Moment moment) {
    if (!node.address.at.empty() || node.driver == "usb-hub") {
        return id;
    }
    const auto qemu_name = find_bus(id)->qemu_name();
    for (const auto& bus : buses_) {
        if (bus.kind() == BusKind::usb && bus.qemu_name() == qemu_name && bus.room() > 1) {
            return bus.id();
        }
    }
    const auto last = std::find_if(buses_.begin(), buses_.end(), [&](const Bus& bus) {
        return bus.kind() == BusKind::usb && bus.qemu_name() == qemu_name && bus.room() == 1;
    });
    if (last == buses_.end() || moment == Moment::hot) {
        return last == buses_.end() ? id : last->id();
    }
    Node hub;
    hub.driver = "usb-hub";
    for (int i = 0; hub.qid.empty() || find(hub.qid); ++i) {
        hub.qid = fmt::format("usb-hub-{}", i);
    }
    hub.address = {BusKind::usb, last->id(), {}};
    insert(std::move(hub), caps);
    return buses_.back().id();
}

void Machine::place(Node& node, const Capabilities& caps, Moment moment) {
    Address& address = node.address;
    if (address.kind == BusKind::none) {
        address.kind = bus_kind_of(node.driver, caps);
    }
    if (address.kind == BusKind::none) {
        return;
    }
    const bool endpoint = address.kind == BusKind::pcie && address.bus.empty() && address.at.empty() &&
                          node.driver.find("root-port") == std::string::npos;
    if (endpoint && moment == Moment::cold && has_pcie()) {
        int number = 0;
        while (find(fmt::format("pcie-root-port-{}", number))) {
            ++number;
        }
        address.bus = add_root_port(fmt::format("pcie-root-port-{}", number), caps)->qid;
    }
    // A kind of bus that the machine type does not model is QEMU's to choose on.
    const bool unknown = std::none_of(buses_.begin(), buses_.end(),
                                      [&](const Bus& bus) { return accepts(bus, address.kind); });
    if (unknown && address.bus.empty() && moment == Moment::cold) {
        return;
    }
    const auto chosen = choose(node, moment).id();
    const auto id = address.kind == BusKind::usb ? usb_bus_with_room(chosen, node, caps, moment) : chosen;
    Bus& bus = *find_bus(id);
    // The first port of a virtio-serial bus is a console's.
    for (int port = 1; address.kind == BusKind::virtio_serial && address.at.empty() &&
                       node.driver != "virtconsole" && port < 31;
         ++port) {
        if (bus.free({port})) {
            address.at = {port};
        }
    }
    if (moment == Moment::hot && !bus.hotpluggable()) {
        throw AddressError(fmt::format("{} cannot be plugged into the {} bus {} while the guest runs",
                                       describe(node), name_of(bus.kind()), bus.id()));
    }
    address.at = bus.reserve(address.at, node.qid);
    address.bus = bus.id();
}

void Machine::remove_into(const NodePtr& node, std::vector<NodePtr>& gone) {
    for (const auto& bus : buses_) {
        if (bus.owner() != node->qid || bus.owner().empty() || node->form != Form::device) {
            continue;
        }
        const auto holders = bus.taken();
        for (const auto& [at, holder] : holders) {
            const auto sitting = find(holder);
            if (sitting && std::find(gone.begin(), gone.end(), sitting) == gone.end()) {
                remove_into(sitting, gone);
            }
        }
    }
    gone.push_back(node);
}

std::vector<NodePtr> Machine::remove(const NodePtr& node) {
    if (std::find(nodes_.begin(), nodes_.end(), node) == nodes_.end()) {
        throw ModelError(fmt::format("the machine does not have {}", describe(*node)));
    }
    std::vector<NodePtr> gone;
    remove_into(node, gone);
    const auto goes = [&](const NodePtr& one) {
        return std::find(gone.begin(), gone.end(), one) != gone.end();
    };
    for (const auto& one : gone) {
        for (const auto& user : one->form == Form::device ? std::vector<NodePtr>() : users_of(one->qid)) {
            if (!goes(user)) {
                throw ModelError(fmt::format("{} is still needed by {}", describe(*one), describe(*user)));
            }
        }
    }
    for (const auto& one : gone) {
        if (one->form == Form::device) {
            for (auto& bus : buses_) {
                bus.release(one->qid);
            }
            std::erase_if(buses_, [&](const Bus& bus) { return bus.owner() == one->qid; });
        }
        std::erase(nodes_, one);
    }
    return gone;
}

std::vector<NodePtr> Machine::order() const {
    std::vector<NodePtr> sorted;
    std::set<const Node*> done, open;
    const auto visit = [&](const auto& self, const NodePtr& node) -> void {
        if (done.contains(node.get())) {
            return;
        }
        if (!open.insert(node.get()).second) {
            throw ModelError(fmt::format("{} needs itself by way of others", describe(*node)));
        }
        for (const auto& needed : node->needs) {
            if (const auto found = find(needed)) {
                self(self, found);
            }
        }
        const Bus* under = node->form == Form::device ? bus(node->address.bus) : nullptr;
        if (under != nullptr && !under->owner().empty()) {
            self(self, find(under->owner()));
        }
        done.insert(node.get());
        sorted.push_back(node);
    };
    for (const auto& node : nodes_) {
        visit(visit, node);
    }
    return sorted;
}

NodePtr Machine::find(std::string_view qid) const {
    NodePtr other;
    for (const auto& node : nodes_) {
        if (node->qid == qid) {
            if (node->form == Form::device) {
                return node;
            }
            other = other ? other : node;
        }
    }
    return other;
}

std::vector<NodePtr> Machine::get_by_qid(std::string_view qid) const {
    std::vector<NodePtr> found;
    std::copy_if(nodes_.begin(), nodes_.end(), std::back_inserter(found),
                 [&](const NodePtr& node) { return node->qid == qid; });
    return found;
}

std::vector<NodePtr> Machine::get_by_params(const std::map<std::string, std::string>& wanted) const {
    std::vector<NodePtr> found;
    for (const auto& node : nodes_) {
        const bool all = std::all_of(wanted.begin(), wanted.end(),
                                     [&](const auto& one) { return node->param(one.first) == one.second; });
        if (all) {
            found.push_back(node);
        }
    }
    return found;
}

std::vector<NodePtr> Machine::users_of(std::string_view qid) const {
    std::vector<NodePtr> users;
    for (const auto& node : nodes_) {
        if (std::find(node->needs.begin(), node->needs.end(), qid) != node->needs.end()) {
            users.push_back(node);
        }
    }
    return users;
}

std::vector<NodePtr> Machine::own_back_ends(const Node& node) const {
    std::vector<NodePtr> own;
    const auto counted = [&](const NodePtr& one) {
        return one.get() == &node || std::find(own.begin(), own.end(), one) != own.end();
    };
    const auto collect = [&](const auto& self, const Node& of) -> void {
        for (const auto& needed : of.needs) {
            const auto back_end = find(needed);
            if (!back_end || back_end->form == Form::device || counted(back_end)) {
                continue;
            }
            const auto users = users_of(needed);
            if (std::all_of(users.begin(), users.end(), counted)) {
                own.push_back(back_end);
                self(self, *back_end);
            }
        }
    };
    collect(collect, node);
    return own;
}

const Bus* Machine::bus(std::string_view id) const {
    return const_cast<Machine*>(this)->find_bus(id);
}

Bus* Machine::find_bus(std::string_view id) {
    const auto found =
        std::find_if(buses_.begin(), buses_.end(), [&](const Bus& bus) { return bus.id() == id; });
    return found == buses_.end() ? nullptr : &*found;
}

std::vector<const Bus*> Machine::buses(BusKind kind) const {
    std::vector<const Bus*> found;
    for (const auto& bus : buses_) {
        if (bus.kind() == kind) {
            found.push_back(&bus);
        }
    }
    return found;
}

void Machine::reserve(std::string_view bus, const std::vector<int>& at, const std::string& holder) {
    if (Bus* found = find_bus(bus)) {
        reserved_.push_back({found->id(), found->reserve(at, holder), holder});
    }
}

}  // namespace vt::qemu
