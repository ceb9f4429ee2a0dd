// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/participant.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace vt::plan {
namespace {

/// For a function to return once it was asked to.
constexpr Seconds patience{2};

}  // namespace

struct Thread::Shared {
    explicit Shared(Function its_function)
        : function(std::move(its_function)), fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!fd) {
            throw SystemError("cannot make an event descriptor", errno);
        }
    }

    void run() {
        std::exception_ptr thrown;
        try {
            function(stop.get_token());
        } catch (...) {
            thrown = std::current_exception();
        }
        // What the function holds goes in its own thread, not with the last of the plan.
        function = {};
        {
            const std::lock_guard lock(mutex);
            failure = thrown;
            ended = Clock::now();
        }
        ::eventfd_write(fd.get(), 1);  // never read back
    }

    Function function;
    UniqueFd fd;
    std::stop_source stop;
    mutable std::mutex mutex;
    std::exception_ptr failure;
    std::optional<Clock::time_point> began;
    std::optional<Clock::time_point> ended;
    bool killed = false;
};

Thread::Thread(std::string name, Function function)
    : Participant(std::move(name)), shared_(std::make_shared<Shared>(std::move(function))) {}

Thread::~Thread() {
    shared_->stop.request_stop();
}

std::string Thread::what() const {
    return "a thread";
}

std::string Thread::text() const {
    return fmt::format("<Thread {} in state {}>", name(), state_name(state()));
}

State Thread::state() const {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->began) {
        return State::not_started;
    }
    return shared_->ended ? State::stopped : State::started;
}

void Thread::start() {
    if (state() != State::not_started) {
        throw Error(fmt::format("{} has been started before; a thread of a plan is started once", text()));
    }
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->began = Clock::now();
    }
    std::thread([shared = shared_] { shared->run(); }).detach();
}

void Thread::kill(int /*signal*/) {
    if (state() != State::started) {
        throw Error(fmt::format("{} cannot be killed, as it does not run", text()));
    }
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->killed = true;
    }
    shared_->stop.request_stop();
}

void Thread::end() {
    if (state() != State::started) {
        return;
    }
    kill();
    const auto deadline = Deadline::after(patience);
    pollfd fd{shared_->fd.get(), POLLIN, 0};
    while (::poll(&fd, 1, deadline.poll_timeout_ms()) <= 0) {
        if (deadline.expired()) {
            log::warning("the thread {} does not heed that it was asked to end; it is left to itself",
                         name());
            return;
        }
    }
}

int Thread::ended_fd() const {
    return state() == State::not_started ? -1 : shared_->fd.get();
}

ExitCode Thread::exit_code() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->killed ? ExitCode() : ExitCode(0);
}

std::exception_ptr Thread::failure() const {
    const std::lock_guard lock(shared_->mutex);
    // One that was asked to end may say so by whatever exception.
    return shared_->killed ? nullptr : shared_->failure;
}

std::optional<Participant::Clock::time_point> Thread::began() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->began;
}

std::optional<Participant::Clock::time_point> Thread::ended() const {
    const std::lock_guard lock(shared_->mutex);
    return shared_->ended;
}

}  // namespace vt::plan
