// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The five commands by which Avocado talks to a runner.
///
/// Parsed by hand: arguments are KEY=VALUE words whose keys may begin with dashes and whose values hold
/// anything, and `capabilities` is asked at every command of Avocado's, so it must cost nothing. What is run
/// is a hook.
#pragma once

#include "runner/nrunner/supervisor.hpp"

#include <optional>
#include <string>
#include <vector>

namespace vt::nrunner {

/// What a runner says of itself.
struct RunnerDescription {
    std::vector<std::string> kinds;
    std::vector<std::string> configuration_used;  ///< settings that come back with `-c`
};

/// The commands' names.
const std::vector<std::string>& protocol_commands();

/// Runs the command line \p words (words[0] is the command's name). Returns its exit status: 0, also for a
/// test that failed; 2 for wrong usage, with a line on standard error. Nothing if words[0] is none of
/// protocol_commands(). \param program its name as called; `avocado-runner-KIND` is the default of `-k`
std::optional<int> run_protocol_command(const std::string& program, const std::vector<std::string>& words,
                                        const RunnerDescription& runner, const TestBody& body);

}  // namespace vt::nrunner
