// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The body of a test that uses a harness rather than virtual machines: a Python file with plans or drivers.
///
/// Such a test has no parameters, no environment and no turn to wait for; it is a file and, behind a colon,
/// what of it is meant. Whatever it starts ends with the body, as everywhere.
#pragma once

#include "runner/nrunner/supervisor.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace vt {

/// Runs the test that the body's runnable means. Called in the body's process.
nrunner::TestResult run_harness_test(nrunner::BodyContext& body);

/// `FILE:Class.method` as FILE and what is behind the last colon; a FILE that is there as it stands has no
/// selection.
std::pair<std::string, std::string> split_reference(std::string_view uri);

}  // namespace vt
