// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The commands that are small enough to share a header, and what the runner says of itself.
#pragma once

#include "runner/nrunner/protocol.hpp"

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vt {

/// Kinds of runnables and the settings that the test body reads.
const nrunner::RunnerDescription& runner_description();

/// Adds `reap`: brings back what dead runs left. Exit status 0, or 1 if something resists.
void add_reap_command(CLI::App& app, int& exit_status);

/// Adds `params`: the parameters of recipes. Exit status 0, or 1 if one cannot be read or expanded.
void add_params_command(CLI::App& app, int& exit_status);

/// Adds `joblock`, for the Avocado plugin. Reads one JSON object from standard input: `dir`, `job` and `pid`
/// to take the lock, or `release` (a file). Writes one: `file` and `warnings`, or `error`. Exit status: 0 an
/// answer was written, 2 the request cannot be read.
void add_joblock_command(CLI::App& app, int& exit_status);
void add_selection_command(CLI::App& app, int& exit_status);

/// The hidden `guardian --job-dir DIR --owner PID:START`: descriptor 3 is the listening socket. Returns the
/// exit status.
int run_guardian_command(const std::vector<std::string>& arguments);

/// `python SCRIPT [ARG…]`: runs a script in the embedded interpreter. Returns its exit status.
int run_python_command(const std::vector<std::string>& arguments);

/// `api SUITE-DIR`: prints the names that a suite's Python uses and the test modules lack, with the files.
/// Returns the exit status: 0 none is missing, 1 some are, 2 wrong words.
int run_api_command(const std::vector<std::string>& arguments);

}  // namespace vt
