// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A plan for people: as a table of its steps, before and after it ran, and as a timeline of who ran when.
#pragma once

#include "runner/harness/plan/executor.hpp"

#include <string>
#include <vector>

namespace vt::plan {

/// One line a step: number, operator, who, what is expected; with \p times (as far as there are some) also
/// when it began, in seconds from the first, and how long it took.
std::string table(const std::vector<Step>& steps, const std::vector<StepTime>& times = {});

/// Everybody whom \p steps spawn, each once, in that order.
std::vector<ParticipantPtr> participants(const std::vector<Step>& steps);

/// An SVG picture (W3C SVG 1.1) titled \p title: one bar for each that was started, from its start to its end
/// or, if it has not ended, to now. The colour tells an exit code of 0, another one, a signal, and one that
/// has not ended.
std::string timeline(const std::string& title, const std::vector<ParticipantPtr>& those);

}  // namespace vt::plan
