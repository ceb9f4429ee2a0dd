// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/verbs/plug.hpp"

#include "runner/caps/capabilities.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/support/log.hpp"
#include "runner/vm/qemu/wire/wire.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

using nlohmann::json;

std::string text_in(const QmpEvent& event, const char* key) {
    const auto member = event.data().find(key);
    return member != event.data().end() && member->is_string() ? member->get<std::string>() : std::string();
}

/// Whether \p event tells of \p qid's end or of a refusal.
bool concerns(const QmpEvent& event, const std::string& qid) {
    const bool kind = event.name() == "DEVICE_DELETED" || event.name() == "DEVICE_UNPLUG_GUEST_ERROR" ||
                      event.name() == "MEM_UNPLUG_ERROR";
    return kind && text_in(event, "device") == qid;
}

void delete_back_end(Machine& machine, const NodePtr& node, QmpMonitor& monitor, const Deadline& deadline) {
    const auto command = qmp_del(*node);
    try {
        monitor.command(command.name, command.json(), deadline);
    } catch (const QMPCmdError& refused) {
        throw UnplugError(
            fmt::format("QEMU does not take out {} {}: {}", name_of(node->form), node->qid, refused.desc()));
    }
    machine.remove(node);
    node->state = NodeState::gone;
}

bool goes_along(const Node& back_end, Along along) {
    if (back_end.form == Form::blockdev) {
        return true;
    }
    const bool shared = back_end.driver == "iothread" || back_end.driver == "throttle-group";
    return along == Along::all && !shared;
}

/// Asks the guest and awaits the end of it.
void delete_device(Machine& machine, const NodePtr& node, QmpMonitor& monitor, const Deadline& deadline) {
    // Events of an earlier life of the same id do not count.
    double seen = 0;
    for (const auto& event : monitor.get_events()) {
        if (concerns(event, node->qid)) {
            seen = std::max(seen, event.timestamp());
        }
    }
    const auto before = node->state;
    node->state = NodeState::unplugging;
    const auto stays = [&] { node->state = before; };
    const auto command = qmp_del(*node);
    std::optional<QmpEvent> event;
    try {
        monitor.command(command.name, command.json(), deadline);
        event = monitor.wait_event(
            [&](const QmpEvent& one) { return one.timestamp() > seen && concerns(one, node->qid); },
            deadline);
    } catch (const QMPCmdError& refused) {
        stays();
        throw UnplugError(
            fmt::format("QEMU does not unplug {} ({}): {}", node->qid, node->driver, refused.desc()));
    } catch (...) {
        stays();
        throw;
    }
    if (!event) {
        stays();
        throw UnplugTimeoutError(
            fmt::format("the guest did not let go of {} ({}) within {:g} s; check that its system runs and "
                        "supports hot-plug",
                        node->qid, node->driver, deadline.total().count()));
    }
    if (event->name() != "DEVICE_DELETED") {
        stays();
        const auto words = text_in(*event, "msg");
        throw UnplugRefusedError(fmt::format("the guest refused to let go of {} ({}){}{}", node->qid,
                                             node->driver, words.empty() ? "" : ": ", words));
    }
    for (const auto& gone : machine.remove(node)) {
        gone->state = NodeState::gone;
    }
}

}  // namespace

void plug(Machine& machine, const NodePtr& node, const Capabilities& caps, QmpMonitor& monitor,
          const Deadline& deadline) {
    const Address wish = node->address;
    machine.insert(node, caps, Machine::Moment::hot);
    const auto take_back = [&] {
        machine.remove(node);
        node->state = NodeState::planned;
        node->address = wish;
    };
    node->state = NodeState::plugging;
    try {
        const auto command = qmp_add(machine, *node, caps);
        monitor.command(command.name, command.json(), deadline);
    } catch (const QMPCmdError& refused) {
        take_back();
        throw HotplugError(fmt::format("QEMU does not add {} {} ({}): {}", name_of(node->form), node->qid,
                                       node->driver, refused.desc()));
    } catch (...) {
        take_back();
        throw;
    }
    node->state = NodeState::live;
    log::debug("Plugged {} {} ({})", name_of(node->form), node->qid, node->driver);
}

void plug(Machine& machine, const std::vector<NodePtr>& nodes, const Capabilities& caps, QmpMonitor& monitor,
          const Deadline& deadline) {
    std::vector<NodePtr> done;
    try {
        for (const auto& node : nodes) {
            plug(machine, node, caps, monitor, deadline);
            done.push_back(node);
        }
    } catch (...) {
        std::reverse(done.begin(), done.end());
        for (const auto& node : done) {
            try {
                unplug(machine, node, monitor, deadline);
            } catch (const Error& error) {
                log::warning("{} stays after a plug that failed: {}", node->qid, error.what());
            }
        }
        throw;
    }
}

void unplug(Machine& machine, const NodePtr& node, QmpMonitor& monitor, const Deadline& deadline,
            Along along) {
    if (node->form != Form::device) {
        if (const auto users = machine.users_of(node->qid); !users.empty()) {
            throw ModelError(fmt::format("{} is still used by {}", node->qid, users.front()->qid));
        }
        delete_back_end(machine, node, monitor, deadline);
        return;
    }
    const auto back_ends = machine.own_back_ends(*node);
    delete_device(machine, node, monitor, deadline);
    for (const auto& back_end : back_ends) {
        if (!goes_along(*back_end, along)) {
            continue;
        }
        delete_back_end(machine, back_end, monitor, deadline);
    }
    log::debug("Unplugged {} ({})", node->qid, node->driver);
}

}  // namespace vt::qemu
