// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A plan: what a test of several processes is to do, written first and done afterwards.
///
/// The operators are those of Flumotion's integration tests. They write steps; execute() does them. Whatever
/// ends without being waited for makes the plan fail in that moment, and with the plan everything ends that
/// it has started, whoever is its parent by then.
///
/// For C++ tests; Python's Plan keeps its steps as a list of Python's own, which its tests look at, and has
/// them done by the same Executor.
#pragma once

#include "runner/harness/plan/executor.hpp"
#include "runner/harness/plan/log_folder.hpp"
#include "runner/harness/plan/participant.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vt::plan {

/// What a plan is called and where its logs lie.
struct PlanOptions {
    std::string name;               ///< the test's
    std::string test_case;          ///< what the test belongs to
    std::filesystem::path logs;     ///< the folder below which the log folder is made
    std::filesystem::path picture;  ///< where execute() writes the timeline (SVG); empty: nowhere
};

/// Written and executed by one thread.
class Plan {
  public:
    /// \p loop reads the processes' output. Throws SystemError if there can be no log folder.
    Plan(std::shared_ptr<IoLoop> loop, PlanOptions options);

    /// Spawns a process. Throws CommandNotFound.
    std::shared_ptr<Process> spawn(std::vector<std::string> argv);
    /// Spawns several in one operator: none of them is expected to end in between.
    std::vector<std::shared_ptr<Process>> spawn_par(std::vector<std::vector<std::string>> argvs);
    /// Runs \p function in a thread.
    std::shared_ptr<Thread> spawn_thread(const std::string& name, Thread::Function function);
    /// Waits for an end with \p expected; nothing: by a signal.
    void wait(const ParticipantPtr& who, ExitCode expected);
    /// Waits for several: they may end in any order.
    void wait_par(const std::vector<std::pair<ParticipantPtr, ExitCode>>& those);
    /// SIGTERM, then waits for an end with \p expected.
    void kill(const ParticipantPtr& who, ExitCode expected = {});
    /// How long each wait may take; 20 s if not set.
    void set_timeout(Seconds timeout) { timeout_ = timeout; }

    /// Does what was written. The log folder is removed if that succeeds. Throws PlanError, what a thread
    /// threw. \p deadline limits all waits together.
    void execute(const Deadline& deadline = Deadline::never());

    /// The plan as a table; once it was executed, with times.
    std::string table() const;
    const std::vector<Step>& steps() const { return steps_; }
    const LogFolder& logs() const { return logs_; }
    Executor& executor() { return executor_; }

  private:
    void write_picture() const;

    std::shared_ptr<IoLoop> loop_;
    PlanOptions options_;
    LogFolder logs_;
    Names names_;
    std::vector<Step> steps_;
    Seconds timeout_{20};
    Executor executor_;
};

}  // namespace vt::plan
