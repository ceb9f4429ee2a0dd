// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How a plan fails. The first sentences are Flumotion's, what follows says more: how the process ended and
/// the last lines of its standard error.
#pragma once

#include "runner/harness/plan/participant.hpp"
#include "runner/support/error.hpp"

#include <string>
#include <vector>

namespace vt::plan {

/// A plan did not go as it was written.
class PlanError : public Error {
  public:
    using Error::Error;
};

/// A program is not there; thrown while a plan is written.
class CommandNotFound : public PlanError {
  public:
    explicit CommandNotFound(const std::string& command);
    const std::string& command() const { return command_; }

  private:
    std::string command_;
};

/// It ended otherwise than awaited.
class UnexpectedExitCode : public PlanError {
  public:
    UnexpectedExitCode(ParticipantPtr who, ExitCode expected, ExitCode actual);
    const ParticipantPtr& who() const { return who_; }
    const ExitCode& expected() const { return expected_; }
    const ExitCode& actual() const { return actual_; }

  private:
    ParticipantPtr who_;
    ExitCode expected_;
    ExitCode actual_;
};

/// It ended when nobody was waiting for that.
class UnexpectedExit : public PlanError {
  public:
    explicit UnexpectedExit(ParticipantPtr who);
    const ParticipantPtr& who() const { return who_; }

  private:
    ParticipantPtr who_;
};

/// The plan is over, and nobody has waited for these.
class ProcessesStillRunning : public PlanError {
  public:
    explicit ProcessesStillRunning(std::vector<ParticipantPtr> those);
    const std::vector<ParticipantPtr>& those() const { return those_; }

  private:
    std::vector<ParticipantPtr> those_;
};

/// It did not end in time.
class PlanTimeout : public PlanError {
  public:
    PlanTimeout(ParticipantPtr who, ExitCode expected, Seconds waited);
    const ParticipantPtr& who() const { return who_; }
    const ExitCode& expected() const { return expected_; }

  private:
    ParticipantPtr who_;
    ExitCode expected_;
};

}  // namespace vt::plan
