// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The machine model: the nodes of one machine and the buses that they sit on.
///
/// The one place that knows what is in a machine and where. A start inserts nodes built from parameters and
/// has them written as a command line; a hot-plug inserts one and has it written as QMP commands; an unplug
/// gives its address back. Two models can be compared ("must it restart"), and one is stored with a kept VM
/// and read again by the next test. Not thread-safe: whoever shares one locks it.
///
/// Only what QEMU is told has a node. What a machine type brings by itself (host bridges, the south bridge)
/// is there as reserved addresses.
#pragma once

#include "runner/vm/qemu/devices/node.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::qemu {

/// A node cannot be inserted or removed; what() says why.
class ModelError : public Error {
  public:
    using Error::Error;
};

/// All of it. Copies share their nodes.
class Machine {
  public:
    /// Before the start any bus will do, afterwards only one that takes devices while the guest runs.
    enum class Moment { cold, hot };
    /// Grows with each change of the stored form.
    static constexpr int version = 1;

    /// None: no buses.
    Machine() = default;
    /// \param type QEMU's machine type; \param arch the guest's; \param defaults QEMU adds its default
    /// devices
    Machine(std::string type, std::string arch, bool defaults);

    const std::string& type() const { return type_; }
    const std::string& arch() const { return arch_; }

    /// Puts \p node in and gives it an address. A PCI Express device that is inserted before the start on a
    /// machine with PCI Express gets a root port of its own, so that it can be unplugged. Throws ModelError
    /// for an id that is taken, a back end or bus that is not there; AddressError.
    NodePtr insert(NodePtr node, const Capabilities& caps, Moment moment = Moment::cold);
    NodePtr insert(Node node, const Capabilities& caps, Moment moment = Moment::cold) {
        return insert(std::make_shared<Node>(std::move(node)), caps, moment);
    }
    /// Takes it out with everything that sits on its buses, and gives the addresses back. Returns what went,
    /// the node itself last. Throws ModelError if it is not in, or a node that stays needs it.
    std::vector<NodePtr> remove(const NodePtr& node);

    const std::vector<NodePtr>& nodes() const { return nodes_; }
    /// In an order in which QEMU can take them: whatever a node needs and the owner of its bus before it.
    /// Throws ModelError for a circle.
    std::vector<NodePtr> order() const;
    /// The device with this id, else a back end with it; nothing if there is none.
    NodePtr find(std::string_view qid) const;
    std::vector<NodePtr> get_by_qid(std::string_view qid) const;
    /// Those whose properties all have these texts.
    std::vector<NodePtr> get_by_params(const std::map<std::string, std::string>& wanted) const;
    /// Nodes that need \p qid.
    std::vector<NodePtr> users_of(std::string_view qid) const;
    /// \p node's back ends and theirs that nobody else needs, nearest first.
    std::vector<NodePtr> own_back_ends(const Node& node) const;

    const std::vector<Bus>& buses() const { return buses_; }
    const Bus* bus(std::string_view id) const;
    std::vector<const Bus*> buses(BusKind kind) const;
    /// Keeps an address free for something that is no node, for instance a device among extra arguments. An
    /// unknown bus is left alone. Throws AddressError.
    void reserve(std::string_view bus, const std::vector<int>& at, const std::string& holder);
    /// Adds a root port that stays empty until something is plugged. \p props: more properties of it.
    NodePtr add_root_port(const std::string& id, const Capabilities& caps, const std::string& extra = {});
    bool has_pcie() const { return bus("pcie.0") != nullptr; }

    nlohmann::json to_json() const;
    /// Throws Error for another version, or text that is no machine.
    static Machine from_json(const nlohmann::json& json, const Capabilities& caps);
    /// Nothing if both are the same for QEMU, else the first difference, for people.
    std::optional<std::string> difference(const Machine& other) const;

  private:
    Bus* find_bus(std::string_view id);
    void place(Node& node, const Capabilities& caps, Moment moment);
    Bus& choose(const Node& node, Moment moment);
    std::string usb_bus_with_room(const std::string& id, const Node& node, const Capabilities& caps,
                                  Moment moment);
    [[noreturn]] void throw_no_bus(const Node& node, Moment moment) const;
    bool accepts(const Bus& bus, BusKind kind) const;
    Address root_port_address() const;
    int next_chassis() const;
    void remove_into(const NodePtr& node, std::vector<NodePtr>& gone);

    std::string type_, arch_;
    bool defaults_ = false;
    std::vector<NodePtr> nodes_;
    std::vector<Bus> buses_;
    /// A reserved address.
    struct Reserved {
        std::string bus;
        std::vector<int> at;
        std::string holder;
    };
    std::vector<Reserved> reserved_;
};

}  // namespace vt::qemu
