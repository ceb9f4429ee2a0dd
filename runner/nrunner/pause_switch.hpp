// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Pausing a test and letting it go on: who asked for it, how far it is, what it took.
///
/// A pause has two steps. The body is told, answers with how a person gets into its machines, and only then
/// is stopped; a body that does not answer in time is stopped without. What the pause took is booked for all
/// deadlines before the body can look at a clock.
#pragma once

#include "runner/nrunner/body_process.hpp"
#include "runner/nrunner/runnable.hpp"
#include "runner/support/deadline.hpp"

#include <optional>
#include <string>

namespace vt::nrunner {

/// The pause of one task.
class PauseSwitch {
  public:
    /// \param grace what the body has to say how one gets in
    PauseSwitch(const Task& task, Seconds grace) : task_(task), grace_(grace) {}

    /// SIGTSTP pauses and lets go on by turns, SIGCONT lets go on. \p may_pause is false for a test that
    /// ends.
    void take_signal(int number, BodyProcess& body, bool may_pause);
    /// The body has answered.
    void take_answer(const std::string& ways_in, BodyProcess& body);
    /// The body has ended its test: there is nothing to pause any more.
    void call_off();
    /// Lets the body go on, wherever a pause stands.
    void resume(BodyProcess& body);
    /// Stops a body that has not answered in time; to be called when next_moment() has passed.
    void serve(BodyProcess& body);

    bool paused() const { return since_.has_value(); }
    const Deadline& next_moment() const { return due_; }

  private:
    void pause(const std::string& ways_in, BodyProcess& body);

    const Task& task_;
    Seconds grace_;
    bool waits_ = false;  ///< the body was told and has not answered
    Deadline due_ = Deadline::never();
    Deadline::Clock::time_point last_key_{};
    std::optional<Deadline::Clock::time_point> since_;
};

}  // namespace vt::nrunner
