// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A test from its parameters to its verdict: preprocess, test, postprocess.
///
/// Preprocess is a list of setups, each with its undo; only those that were begun are undone, last first. A
/// failure keeps what a person needs to understand it (screendump, serial log, QEMU's log) and becomes one
/// sentence. After a failure every parameter X_on_error stands in for X before postprocess, as users of
/// Avocado-VT know it.
#pragma once

#include "runner/env/env.hpp"
#include "runner/env/test_context.hpp"
#include "runner/env/test_status.hpp"

#include <functional>
#include <string>

namespace vt {

/// The body of a test; called once.
using TestFunction = std::function<void(TestContext&, Env&)>;

/// Runs \p test inside preprocess and postprocess. Never throws for what the test or its surroundings do.
TestVerdict run_test(TestContext& context, Env& env, const TestFunction& test);

/// Brings the VM called \p name into the state that \p params ask for (`start_vm`, `check_vm_needs_restart`,
/// `paused_after_start_vm`, …), as preprocess does; a VM that is not there yet is made and registered. For
/// tests that change parameters half-way. Throws as Vm::create().
void set_up_vm(Env& env, const Params& params, const std::string& name);

/// Takes down every VM of \p env without ceremony, for a task that was told to end.
void abandon_test(Env& env);

}  // namespace vt
