// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/status.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/core.h>

namespace vt::driver {
namespace {

/// What people see of a status.
std::string_view shown(std::string_view status) {
    return status.empty() ? std::string_view("None") : status;
}

}  // namespace

std::string_view status_name(Status status) {
    switch (status) {
        case Status::none:
            return "";
        case Status::starting:
            return "STARTING";
        case Status::started:
            return "STARTED";
        case Status::pausing:
            return "PAUSING";
        case Status::paused:
            return "PAUSED";
        case Status::resuming:
            return "RESUMING";
        case Status::stopping:
            return "STOPPING";
        case Status::stopped:
            return "STOPPED";
    }
    return "";
}

Transitions entity_transitions() {
    return {{"PAUSING", {"PAUSED"}}, {"PAUSED", {"RESUMING"}}};
}

Transitions resource_transitions() {
    return {{"", {"STARTING"}},
            {"STARTING", {"STARTED", "STOPPING"}},
            {"STARTED", {"PAUSING", "STOPPING"}},
            {"PAUSING", {"PAUSED"}},
            {"PAUSED", {"RESUMING", "STOPPING"}},
            {"RESUMING", {"STARTED"}},
            {"STOPPING", {"STOPPED"}},
            {"STOPPED", {"STARTING"}}};
}

Transitions runnable_transitions() {
    return {{"", {"RUNNING"}},          {"RUNNING", {"FINISHED", "EXECUTING", "PAUSING"}},
            {"EXECUTING", {"RUNNING"}}, {"PAUSING", {"PAUSED"}},
            {"PAUSED", {"RESUMING"}},   {"RESUMING", {"RUNNING"}},
            {"FINISHED", {"RUNNING"}}};
}

StatusMachine::StatusMachine(Transitions transitions) : transitions_(std::move(transitions)) {}

std::string StatusMachine::current() const {
    const std::lock_guard lock(mutex_);
    return current_;
}

void StatusMachine::change(std::string_view next) {
    {
        const std::lock_guard lock(mutex_);
        if (current_ == next) {
            return;
        }
        const auto from = transitions_.find(current_);
        if (from == transitions_.end() || from->second.count(std::string(next)) == 0) {
            throw StatusError(fmt::format("On status change from {} to {}", shown(current_), shown(next)));
        }
        current_ = next;
    }
    changed_.notify_all();
}

void StatusMachine::force(std::string_view next) {
    {
        const std::lock_guard lock(mutex_);
        current_ = next;
    }
    changed_.notify_all();
}

bool StatusMachine::wait(std::string_view target, const Deadline& deadline) const {
    std::unique_lock lock(mutex_);
    while (current_ != target) {
        if (deadline.expired()) {
            return false;
        }
        // A pause moves deadlines, so the clock is looked at again now and then.
        const auto at_most = std::min(deadline.remaining(), Seconds{60});
        changed_.wait_for(lock, std::chrono::duration_cast<std::chrono::microseconds>(at_most));
    }
    return true;
}

}  // namespace vt::driver
