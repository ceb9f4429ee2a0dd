// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What all bodies have in common: the log's level, and a verdict in the protocol's words.
#pragma once

#include "runner/env/test_status.hpp"
#include "runner/nrunner/result.hpp"
#include "runner/nrunner/runnable.hpp"

namespace vt {

/// Sets the level of the log to what the setting job.output.loglevel says.
void set_log_level(const nrunner::Runnable& runnable);

/// A test's verdict as the protocol says it.
nrunner::TestResult to_result(const TestVerdict& verdict);

}  // namespace vt
