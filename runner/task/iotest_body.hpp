// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The body of one of QEMU's block tests. Its runnable is a file and, as keyword arguments, what of the
/// settings vt.iotests is not the default.
#pragma once

#include "runner/nrunner/supervisor.hpp"

namespace vt {

/// Runs the block test that the body's runnable means. Called in the body's process.
nrunner::TestResult run_iotest(nrunner::BodyContext& body);

}  // namespace vt
