// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What tests do with the devices of a running machine: look, plug, unplug, compare.
///
/// The one holder of a running machine's model. Every call is safe from several threads; plugs and unplugs go
/// one after the other. It may be held longer than the machine runs: then lookups still answer, and what
/// needs QEMU throws VMDeadError.
#pragma once

#include "runner/caps/capabilities.hpp"
#include "runner/support/deadline.hpp"
#include "runner/vm/qemu/build/machine_spec.hpp"
#include "runner/vm/qemu/build/placement.hpp"
#include "runner/vm/qemu/devices/machine.hpp"
#include "runner/vm/qemu/verbs/plug.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace vt {
class QmpMonitor;
}

namespace vt::qemu {

class Builder;

/// Devices of one started QEMU.
class Devices {
  public:
    Devices(Machine machine, Capabilities caps, MachineSpec spec, Placement placement, std::string vm_name,
            std::filesystem::path data_dir);

    /// From now on verbs go to \p monitor, which must live until detach().
    void attach(QmpMonitor& monitor);
    /// The machine is gone or let go of: ends waits that go on.
    void detach();

    const Capabilities& caps() const { return caps_; }
    /// A copy of the model, whose nodes are shared.
    Machine machine() const;
    std::vector<NodePtr> nodes() const { return machine().nodes(); }
    /// The device with this id, else a back end; nothing if there is none.
    NodePtr find(const std::string& qid) const;
    std::vector<NodePtr> get_by_qid(const std::string& qid) const;
    std::vector<NodePtr> get_by_params(const std::map<std::string, std::string>& wanted) const;
    std::vector<Bus> buses() const;

    /// Into and out of the model alone, for what a test told QEMU by its own means. Throws ModelError,
    /// AddressError.
    void insert(const NodePtr& node);
    void remove(const NodePtr& node);
    /// See plug.hpp. Back ends come before what needs them.
    void plug(const std::vector<NodePtr>& nodes, const Deadline& deadline);
    void plug(const NodePtr& node, const Deadline& deadline) { plug(std::vector{node}, deadline); }
    void unplug(const NodePtr& node, const Deadline& deadline, Along along = Along::all);
    /// What differs between the model and QEMU; empty: nothing.
    std::vector<std::string> differences(const Deadline& deadline);

    /// Nodes for plug(), not in the machine yet; \p params as the VM sees them. A disk with the controller
    /// that it needs, a network card (user networking), one of upstream's `mem_devs`.
    std::vector<NodePtr> define_disk(const std::string& name, const Params& params) const;
    std::vector<NodePtr> define_nic(const std::string& name, const Params& params) const;
    std::vector<NodePtr> define_dimm(const std::string& name, const Params& params) const;
    /// A processor for the first place that has none. Throws VMDeviceError if all have one.
    std::vector<NodePtr> define_vcpu(const std::string& name, const Deadline& deadline);

  private:
    std::vector<NodePtr> define(const Placement& placement, const std::function<void(Builder&)>& build) const;
    QmpMonitor& monitor();

    mutable std::mutex mutex_;
    Machine machine_;
    const Capabilities caps_;
    const MachineSpec spec_;
    const Placement placement_;
    const std::string vm_name_;
    const std::filesystem::path data_dir_;
    const std::set<std::string> foreign_;
    std::mutex monitor_mutex_;  ///< taken after mutex_, and never while waiting
    QmpMonitor* monitor_ = nullptr;
};

}  // namespace vt::qemu
