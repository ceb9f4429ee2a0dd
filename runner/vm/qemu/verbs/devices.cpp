// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/vm/qemu/verbs/devices.hpp"

#include "runner/monitor/qmp.hpp"
#include "runner/net/bridge.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/build/builder.hpp"
#include "runner/vm/qemu/verbs/compare.hpp"
#include "runner/vm/qemu/verbs/plug.hpp"

#include <functional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

Devices::Devices(Machine machine, Capabilities caps, MachineSpec spec, Placement placement,
                 std::string vm_name, std::filesystem::path data_dir)
    : machine_(std::move(machine)),
      caps_(std::move(caps)),
      spec_(std::move(spec)),
      placement_(std::move(placement)),
      vm_name_(std::move(vm_name)),
      data_dir_(std::move(data_dir)),
      foreign_(ids_in_arguments(spec_.extra_params)) {}

void Devices::attach(QmpMonitor& monitor) {
    const std::lock_guard lock(monitor_mutex_);
    monitor_ = &monitor;
}

void Devices::detach() {
    {
        const std::lock_guard lock(monitor_mutex_);
        if (monitor_ == nullptr) {
            return;
        }
        monitor_->close();  // whoever waits holds mutex_ and lets go of it now
    }
    const std::lock_guard verbs(mutex_);
    const std::lock_guard lock(monitor_mutex_);
    monitor_ = nullptr;
}

QmpMonitor& Devices::monitor() {
    const std::lock_guard lock(monitor_mutex_);
    if (monitor_ == nullptr) {
        throw VMDeadError(
            fmt::format("VM {} is not running any more, so its devices cannot be changed", vm_name_));
    }
    return *monitor_;
}

Machine Devices::machine() const {
    const std::lock_guard lock(mutex_);
    return machine_;
}

NodePtr Devices::find(const std::string& qid) const {
    const std::lock_guard lock(mutex_);
    return machine_.find(qid);
}

std::vector<NodePtr> Devices::get_by_qid(const std::string& qid) const {
    const std::lock_guard lock(mutex_);
    return machine_.get_by_qid(qid);
}

std::vector<NodePtr> Devices::get_by_params(const std::map<std::string, std::string>& wanted) const {
    const std::lock_guard lock(mutex_);
    return machine_.get_by_params(wanted);
}

std::vector<Bus> Devices::buses() const {
    const std::lock_guard lock(mutex_);
    return machine_.buses();
}

void Devices::insert(const NodePtr& node) {
    const std::lock_guard lock(mutex_);
    machine_.insert(node, caps_, Machine::Moment::hot);
    node->state = NodeState::live;
}

void Devices::remove(const NodePtr& node) {
    const std::lock_guard lock(mutex_);
    for (const auto& gone : machine_.remove(node)) {
        gone->state = NodeState::gone;
    }
}

void Devices::plug(const std::vector<NodePtr>& nodes, const Deadline& deadline) {
    const std::lock_guard lock(mutex_);
    qemu::plug(machine_, nodes, caps_, monitor(), deadline);
}

void Devices::unplug(const NodePtr& node, const Deadline& deadline, Along along) {
    const std::lock_guard lock(mutex_);
    qemu::unplug(machine_, node, monitor(), deadline, along);
}

std::vector<std::string> Devices::differences(const Deadline& deadline) {
    const std::lock_guard lock(mutex_);
    return compare_with_qemu(machine_, monitor(), deadline, foreign_);
}

/// Built on a copy of the machine, so that what is there already (controllers, free slots) is seen.
std::vector<NodePtr> Devices::define(const Placement& placement,
                                     const std::function<void(Builder&)>& build) const {
    Machine scratch = machine();
    Builder builder(spec_, placement, caps_, scratch, Machine::Moment::hot);
    build(builder);
    for (std::size_t i = 0; i < builder.made.size(); ++i) {
        builder.made[i]->address = builder.wishes[i];
    }
    return builder.made;
}

std::vector<NodePtr> Devices::define_disk(const std::string& name, const Params& params) const {
    Params only = params;
    only.set("images", name);
    only.set("cdroms", "");
    only.set("floppies", "");
    only.set("boot_drive_" + name, "yes");
    const auto drives = drives_from_params(only, data_dir_);
    write_secrets(drives.at(0), placement_.instance_dir);
    return define(placement_, [&](Builder& builder) { builder.add_drive(drives.at(0)); });
}

std::vector<NodePtr> Devices::define_nic(const std::string& name, const Params& params) const {
    Params only = params;
    only.set("nics", name);
    // Ports are leased at a start; a card that comes later has none forwarded.
    only.set("redirs_" + name, "");
    auto nics = nics_from_params(only);
    if (nics.empty()) {
        throw VMDeviceError(fmt::format("NIC {} has nettype or nic_model none and so is no device", name));
    }
    nics[0].redirs.clear();
    Placement placement = placement_;
    placement.macs[name] = MacAddress::random().text;
    return define(placement, [&](Builder& builder) { builder.add_nic(nics[0]); });
}

std::vector<NodePtr> Devices::define_dimm(const std::string& name, const Params& params) const {
    Params only = params;
    only.set("mem_devs", name);
    const auto modules = memory_devices_from_params(only);
    return define(placement_, [&](Builder& builder) { builder.add_memory_device(modules.at(0)); });
}

std::vector<NodePtr> Devices::define_vcpu(const std::string& name, const Deadline& deadline) {
    const auto cpus = [&] {
        const std::lock_guard lock(mutex_);
        return monitor().command("query-hotpluggable-cpus", deadline);
    }();
    // QEMU lists the last place first; the others are taken in order.
    for (auto cpu = cpus.rbegin(); cpu != cpus.rend(); ++cpu) {
        if (cpu->contains("qom-path")) {
            continue;
        }
        auto node = std::make_shared<Node>();
        node->qid = name;
        node->driver = cpu->at("type").get<std::string>();
        for (const auto& [key, value] : cpu->at("props").items()) {
            node->props.set(key, Value::from_json(value));
        }
        return {node};
    }
    throw VMDeviceError(fmt::format(
        "VM {} has a processor in every place; raise vcpu_maxcpus to leave room for {}", vm_name_, name));
}

}  // namespace vt::qemu
