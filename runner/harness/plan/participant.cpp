// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/participant.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::plan {

Participant::~Participant() = default;

std::string exit_text(const ExitCode& code) {
    return code ? fmt::format("exit code {}", *code) : "a signal";
}

std::string_view state_name(State state) {
    switch (state) {
        case State::not_started:
            return "NOT-STARTED";
        case State::started:
            return "STARTED";
        default:
            return "STOPPED";
    }
}

std::string Names::next(std::string_view command) {
    auto base = std::filesystem::path(command).filename().native();
    if (base.empty()) {
        base = "process";
    }
    auto name = base;
    for (int number = 1; std::find(taken_.begin(), taken_.end(), name) != taken_.end(); ++number) {
        name = fmt::format("{}-{}", base, number);
    }
    taken_.push_back(name);
    return name;
}

}  // namespace vt::plan
