// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which body runs which kind of runnable.
#pragma once

#include "runner/nrunner/supervisor.hpp"

namespace vt {

/// Runs the body's runnable, whatever its kind: a test of virtual machines (`vt`, `avocado-vt`), one that
/// uses a harness (`vt-plan`, `vt-driver`, `vt-packet`), or a block test (`vt-iotest`). Called in the body's
/// process.
nrunner::TestResult run_body(nrunner::BodyContext& body);

}  // namespace vt
