// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The Vm that QEMU runs.
///
/// A QEMU is started by the job's guardian and leased by this object. What belongs to one start (process,
/// monitors, consoles, ports) is one structure, Running, that goes as a whole; parameters and name stay for
/// the next start.
#pragma once

#include "runner/vm/vm.hpp"

#include <memory>
#include <string>
#include <vector>

namespace vt::qemu {

/// A VM that is not started yet.
std::shared_ptr<Vm> make_vm(const std::string& name, const Params& params, const VmContext& context);

class Devices;

/// The devices of a running machine; nothing for a VM of another back end, which has no model of them. Throws
/// VMDeadError.
std::shared_ptr<Devices> devices_of(Vm& vm);

/// The running VM that \p state (Vm::state()) tells of, leased from the guardian; nothing if it is gone or
/// the state is damaged (logged).
std::shared_ptr<Vm> adopt_vm(const std::string& name, const Params& params, const std::string& state,
                             const VmContext& context);

}  // namespace vt::qemu
