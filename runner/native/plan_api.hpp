// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Plans of processes for tests written in C++; goes with runner/native/test_api.hpp.
///
/// A plan is written first and executed afterwards: what is spawned, what is waited for, and how each is to
/// end. A process that ends when the plan does not wait for it makes the test fail in that moment. With the
/// plan everything ends that it has started.
#pragma once

#include "runner/native/test_api.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vt::plan {
class Participant;
}

namespace vt::api {

/// How a process ends: its exit code, or nothing if a signal killed it.
using ExitCode = std::optional<int>;

/// A process or a thread of a plan.
class Participant {
  public:
    explicit Participant(std::shared_ptr<plan::Participant> impl) : impl_(std::move(impl)) {}

    /// Unique in the plan: "echo", "echo-1".
    const std::string& name() const;
    /// "NOT-STARTED", "STARTED", "STOPPED".
    std::string_view state() const;

    /// The runner's object, for what this API does not cover yet (no promise about its shape).
    const std::shared_ptr<plan::Participant>& impl() const { return impl_; }

  private:
    std::shared_ptr<plan::Participant> impl_;
};

/// A plan. Output goes to NAME.stdout and NAME.stderr in a folder below the test's logdir, which is removed
/// if the plan succeeds; a timeline is left in NAME.timeline.svg.
class Plan {
  public:
    /// A plan of \p test, by default called as the test is.
    explicit Plan(Test& test, std::string_view name = {});

    /// Spawns a process; the program is looked up on PATH. Throws vt::Error if it is not there.
    Participant spawn(std::vector<std::string> argv);
    /// Spawns several, none of which is to end in between.
    std::vector<Participant> spawn_par(std::vector<std::vector<std::string>> argvs);
    /// Runs \p function in a thread, which ends with exit code 0. What it throws ends the plan.
    Participant spawn_thread(std::string_view name, std::function<void(const std::stop_token&)> function);
    void wait(const Participant& who, ExitCode expected);
    /// Waits for several, which may end in any order.
    void wait_par(const std::vector<std::pair<Participant, ExitCode>>& those);
    /// SIGTERM, then waits for an end with \p expected.
    void kill(const Participant& who, ExitCode expected = {});
    /// How long each wait may take; 20 s if not set.
    void set_timeout(Seconds timeout);

    /// Does what was written. Fails the test with a sentence that names the process, how it ended, and the
    /// last lines of its standard error; an exception of a thread comes out as it is.
    void execute();
    /// The plan as a table; once it was executed, with times.
    std::string table() const;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt::api
