// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From a runnable to a verdict: the one place where the protocol, the resolver, the lifecycle and the test
/// APIs meet.
#pragma once

#include "runner/nrunner/supervisor.hpp"

namespace vt {

/// Runs the test that the body's runnable means, small or fat. Called in the body's process.
nrunner::TestResult run_vt_test(nrunner::BodyContext& body);

}  // namespace vt
