// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The machine that a plan is a program of.
///
/// A plan is a list of steps: Flumotion's operators in the form in which it has them, each beginning with
/// CheckExits, which names those whose end is awaited by that operator. Flumotion looks at ends between
/// operators only; this machine sees them when they happen, in whatever it waits. It takes an end as awaited
/// if the running operator or the next one waits for it, which is what Flumotion's documentation promises.
#pragma once

#include "runner/harness/plan/participant.hpp"

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace vt::plan {

/// An operator begins; only those in \ref expected may have ended.
struct CheckExits {
    std::vector<ParticipantPtr> expected;
};
struct Spawn {
    ParticipantPtr who;
};
struct Kill {
    ParticipantPtr who;
    int signal = SIGTERM;
};
struct Wait {
    ParticipantPtr who;
    ExitCode expected;
};
/// Something else that is done on the way.
struct Call {
    std::string name;
    std::function<void()> function;
};
using Step = std::variant<CheckExits, Spawn, Kill, Wait, Call>;

/// When a step was done; times of the same index as the step's.
struct StepTime {
    Participant::Clock::time_point began;
    std::optional<Participant::Clock::time_point> ended;  ///< nothing: it failed or is being done
};

/// Waits until \p who, which needs no plan around it, has ended. Throws UnexpectedExitCode, PlanTimeout (it
/// goes on), what a thread threw. \p on_signal is called when a signal arrives, may throw, and may be empty.
void await_end(const ParticipantPtr& who, ExitCode expected, const Deadline& deadline,
               const std::function<void()>& on_signal = {});

/// Runs steps. Used by one thread; participants may be looked at by others.
class Executor {
  public:
    /// What a run is allowed to take.
    struct Limits {
        Seconds each_wait{20};
        Deadline all = Deadline::never();
    };

    Executor() = default;
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;
    /// Ends what it started.
    ~Executor();

    /// Called when a signal arrives during a wait; may throw.
    void on_signal(std::function<void()> handler) { on_signal_ = std::move(handler); }

    /// Throws UnexpectedExit if one has ended that is not in \p expected; what a thread threw.
    void check_exits(const std::vector<ParticipantPtr>& expected);
    /// Starts \p who. Throws Error if it has been started before, SystemError.
    void spawn(const ParticipantPtr& who);
    /// Throws Error unless it was spawned here and runs.
    void kill(const ParticipantPtr& who, int signal = SIGTERM);
    /// Waits until \p who has ended, and forgets it. Throws UnexpectedExitCode, PlanTimeout (it goes on),
    /// UnexpectedExit of another one that is not in \p may_end, what a thread threw, Error unless it was
    /// spawned here.
    void wait(const ParticipantPtr& who, ExitCode expected, const Deadline& deadline,
              const std::vector<ParticipantPtr>& may_end = {});

    /// Does all \p steps, then ends what is left. Throws what they throw; ProcessesStillRunning if nothing
    /// failed and somebody was never waited for.
    void run(const std::vector<Step>& steps, const Limits& limits);
    /// Ends those who are left, and what those who ended left behind.
    void end_all();

    /// Those that were spawned and not waited for.
    const std::vector<ParticipantPtr>& running() const { return running_; }
    /// When the steps of the last run were done, as far as it came.
    const std::vector<StepTime>& times() const { return times_; }

  private:
    void need(const ParticipantPtr& who) const;
    void do_step(const std::vector<Step>& steps, std::size_t index, const Limits& limits);
    ParticipantPtr first_unexpected(const std::vector<ParticipantPtr>& expected) const;

    std::vector<ParticipantPtr> running_;
    std::vector<ParticipantPtr> all_;  ///< also those that were waited for: their children may be left
    std::vector<StepTime> times_;
    std::function<void()> on_signal_;
};

}  // namespace vt::plan
