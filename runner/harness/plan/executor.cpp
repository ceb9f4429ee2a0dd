// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/executor.hpp"

#include "runner/harness/plan/errors.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>
#include <poll.h>

namespace vt::plan {
namespace {

bool contains(const std::vector<ParticipantPtr>& those, const ParticipantPtr& who) {
    return std::find(those.begin(), those.end(), who) != those.end();
}

/// Whose end is awaited by what is left of the operator of step \p index and by the next operator.
std::vector<ParticipantPtr> awaited_from(const std::vector<Step>& steps, std::size_t index) {
    std::vector<ParticipantPtr> those;
    int begun = 0;
    for (auto step = steps.begin() + static_cast<std::ptrdiff_t>(index); step != steps.end(); ++step) {
        if (const auto* check = std::get_if<CheckExits>(&*step)) {
            if (++begun > 1) {
                break;
            }
            those.insert(those.end(), check->expected.begin(), check->expected.end());
        } else if (const auto* wait = std::get_if<Wait>(&*step); wait != nullptr && begun == 0) {
            those.push_back(wait->who);
        }
    }
    return those;
}

/// Waits until one of \p those that run ends, or a signal arrives; false once \p deadline has passed.
bool await_any(const std::vector<ParticipantPtr>& those, const Deadline& deadline,
               const std::function<void()>& on_signal) {
    std::vector<pollfd> fds;
    for (const auto& who : those) {
        if (who->state() == State::started) {
            fds.push_back({who->ended_fd(), POLLIN, 0});
        }
    }
    const int count = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
    if (count < 0 && errno != EINTR) {
        throw SystemError("cannot wait for a plan's processes", errno);
    }
    if (count < 0 && on_signal) {
        on_signal();
    }
    return count > 0 || !deadline.expired();
}

void check_code(const ParticipantPtr& who, ExitCode expected) {
    if (who->exit_code() != expected) {
        throw UnexpectedExitCode(who, expected, who->exit_code());
    }
}

}  // namespace

void await_end(const ParticipantPtr& who, ExitCode expected, const Deadline& deadline,
               const std::function<void()>& on_signal) {
    while (who->state() == State::started) {
        if (!await_any({who}, deadline, on_signal) && who->state() == State::started) {
            throw PlanTimeout(who, expected, deadline.total());
        }
    }
    if (const auto failure = who->failure()) {
        std::rethrow_exception(failure);
    }
    check_code(who, expected);
}

Executor::~Executor() {
    try {
        end_all();
    } catch (const std::exception& error) {
        log::warning("a plan's processes cannot be ended: {}", error.what());
    }
}

/// Among several the one that ended first: it may be why the others did.
ParticipantPtr Executor::first_unexpected(const std::vector<ParticipantPtr>& expected) const {
    ParticipantPtr first;
    for (const auto& who : running_) {
        const bool failed = who->failure() != nullptr;
        if (who->state() != State::stopped || (!failed && contains(expected, who))) {
            continue;
        }
        if (!first || who->ended() < first->ended()) {
            first = who;
        }
    }
    return first;
}

void Executor::check_exits(const std::vector<ParticipantPtr>& expected) {
    if (const auto who = first_unexpected(expected)) {
        if (const auto failure = who->failure()) {
            std::rethrow_exception(failure);
        }
        throw UnexpectedExit(who);
    }
}

void Executor::spawn(const ParticipantPtr& who) {
    if (contains(running_, who)) {
        throw Error(fmt::format("{} has been spawned before; a plan spawns each process once", who->text()));
    }
    log::info("plan: spawn {}: {}", who->name(), who->what());
    who->start();
    running_.push_back(who);
    all_.push_back(who);
}

void Executor::need(const ParticipantPtr& who) const {
    if (!contains(running_, who)) {
        throw Error(
            fmt::format("{} is none of the plan's running processes: it was not spawned, or has been waited "
                        "for",
                        who->text()));
    }
}

void Executor::kill(const ParticipantPtr& who, int signal) {
    need(who);
    log::info("plan: kill {}", who->name());
    who->kill(signal);
}

void Executor::wait(const ParticipantPtr& who, ExitCode expected, const Deadline& deadline,
                    const std::vector<ParticipantPtr>& may_end) {
    need(who);
    log::info("plan: wait for {} to end with {}", who->name(), exit_text(expected));
    auto awaited = may_end;
    awaited.push_back(who);
    check_exits(awaited);
    while (who->state() != State::stopped) {
        const bool in_time = await_any(running_, deadline, on_signal_);
        check_exits(awaited);
        if (!in_time && who->state() != State::stopped) {
            throw PlanTimeout(who, expected, deadline.total());
        }
    }
    std::erase(running_, who);
    check_code(who, expected);
}

void Executor::do_step(const std::vector<Step>& steps, std::size_t index, const Limits& limits) {
    const auto& step = steps[index];
    if (const auto* check = std::get_if<CheckExits>(&step)) {
        check_exits(check->expected);
    } else if (const auto* spawned = std::get_if<Spawn>(&step)) {
        spawn(spawned->who);
    } else if (const auto* killed = std::get_if<Kill>(&step)) {
        kill(killed->who, killed->signal);
    } else if (const auto* awaited = std::get_if<Wait>(&step)) {
        wait(awaited->who, awaited->expected, Deadline::after(limits.each_wait).sooner(limits.all),
             awaited_from(steps, index));
    } else if (const auto* call = std::get_if<Call>(&step)) {
        call->function();
    }
}

void Executor::run(const std::vector<Step>& steps, const Limits& limits) {
    times_.clear();
    try {
        for (std::size_t index = 0; index < steps.size(); ++index) {
            times_.push_back({Participant::Clock::now(), {}});
            do_step(steps, index, limits);
            times_.back().ended = Participant::Clock::now();
        }
        // A thread's failure says more than that nobody waited for the thread.
        check_exits(running_);
        if (!running_.empty()) {
            throw ProcessesStillRunning(running_);
        }
    } catch (...) {
        end_all();
        throw;
    }
    end_all();
}

void Executor::end_all() {
    // All are told before the first is waited for, so that many take no longer than one.
    for (const auto& who : running_) {
        if (who->state() == State::started) {
            try {
                who->kill(SIGKILL);
            } catch (const Error&) {
                // It has ended in this moment.
            }
        }
    }
    for (const auto& who : all_) {
        who->end();
    }
    running_.clear();
    all_.clear();
}

}  // namespace vt::plan
