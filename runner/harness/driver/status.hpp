// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The states that an entity under test goes through, and which may follow which: the one place that knows.
///
/// Testplan's words and transitions (testplan.common.entity), so that the Python classes are names for this
/// one. Statuses are texts at the border because a script may have states of its own; the core uses Status.
/// Whoever waits for a status is woken by its change.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace vt::driver {

/// A driver's states. The way: none, starting, started, (pausing, paused, resuming, started,) stopping,
/// stopped, starting…
enum class Status { none, starting, started, pausing, paused, resuming, stopping, stopped };

/// "STARTED"; empty for Status::none.
std::string_view status_name(Status status);

/// A change that no transition allows; what() is "On status change from A to B".
class StatusError : public Error {
  public:
    using Error::Error;
};

/// For each status those that may follow. The empty text is Status::none.
using Transitions = std::map<std::string, std::set<std::string>>;

/// Of anything that can be paused.
Transitions entity_transitions();
/// Of what is started and stopped: drivers.
Transitions resource_transitions();
/// Of what runs steps: tests and plans.
Transitions runnable_transitions();

/// The status of one entity. Every call is safe from several threads.
class StatusMachine {
  public:
    explicit StatusMachine(Transitions transitions = resource_transitions());

    std::string current() const;
    bool is(Status status) const { return current() == status_name(status); }
    /// Goes to \p next; staying where it is is allowed. Throws StatusError.
    void change(std::string_view next);
    void change(Status next) { change(status_name(next)); }
    /// Goes to \p next whatever the transitions say: after a failure the world is as it is.
    void force(std::string_view next);
    void force(Status next) { force(status_name(next)); }
    /// Back to Status::none.
    void reset() { force(Status::none); }
    /// True once it is \p target; false if \p deadline passes first.
    bool wait(std::string_view target, const Deadline& deadline) const;

  private:
    Transitions transitions_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::string current_;
};

}  // namespace vt::driver
