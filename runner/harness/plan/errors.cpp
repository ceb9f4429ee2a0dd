// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/errors.hpp"

#include <utility>

#include <fmt/core.h>

namespace vt::plan {
namespace {

/// A code as Python prints it, since the sentences are Python's.
std::string code_text(const ExitCode& code) {
    return code ? std::to_string(*code) : "None";
}

std::string with_words(std::string sentence, const Participant& who) {
    const auto words = who.last_words();
    return words.empty() ? sentence : sentence + "; " + words;
}

std::string list_of(const std::vector<ParticipantPtr>& those) {
    std::string text;
    for (const auto& who : those) {
        text += (text.empty() ? "" : ", ") + who->text();
    }
    return "[" + text + "]";
}

}  // namespace

CommandNotFound::CommandNotFound(const std::string& command)
    : PlanError(fmt::format("Command '{}' not found in the PATH.", command)), command_(command) {}

UnexpectedExitCode::UnexpectedExitCode(ParticipantPtr who, ExitCode expected, ExitCode actual)
    : PlanError(with_words(fmt::format("Expected exit code {} from {}, but got {}", code_text(expected),
                                       who->text(), code_text(actual)),
                           *who)),
      who_(std::move(who)),
      expected_(expected),
      actual_(actual) {}

UnexpectedExit::UnexpectedExit(ParticipantPtr who)
    : PlanError(with_words(fmt::format("The process {} exited prematurely.", who->text()), *who)),
      who_(std::move(who)) {}

ProcessesStillRunning::ProcessesStillRunning(std::vector<ParticipantPtr> those)
    : PlanError("Processes still running at end of test: " + list_of(those)), those_(std::move(those)) {}

PlanTimeout::PlanTimeout(ParticipantPtr who, ExitCode expected, Seconds waited)
    : PlanError(with_words(fmt::format("Timed out waiting for {} to exit with status {} after {:g} s",
                                       who->text(), code_text(expected), waited.count()),
                           *who)),
      who_(std::move(who)),
      expected_(expected) {}

}  // namespace vt::plan
