// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The Vm that QEMU runs.
#pragma once

#include "runner/vm/vm.hpp"

#include <memory>
#include <string>

namespace vt::qemu {

/// A VM that is not started yet.
std::shared_ptr<Vm> make_vm(const std::string& name, const Params& params, const VmContext& context);

/// The running VM that \p state (Vm::state()) tells of, leased from the guardian; nothing if it is gone.
std::shared_ptr<Vm> adopt_vm(const std::string& name, const std::string& state, const VmContext& context);

}  // namespace vt::qemu
