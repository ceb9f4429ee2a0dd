// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/child_handle.hpp"

#include "runner/support/error.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <csignal>
#include <string>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::process {
namespace {

/// How long the end of a process that got SIGKILL is awaited: it has but to be scheduled, on a machine under
/// load.
constexpr Seconds death{20};

constexpr Seconds tracer_pause{0.01};

}  // namespace

ChildHandle::ChildHandle(pid_t pid) : pid_(pid) {
    if (pid <= 0) {
        throw Error("a process with the number " + std::to_string(pid) + " cannot be owned");
    }
    const int injected = fault::at(fault::Point::spawned, "");
    if (injected == 0) {
        pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    }
    if (!pidfd_) {
        const int error = injected != 0 ? injected : errno;
        ::kill(-pid, SIGKILL);
        ::kill(pid, SIGKILL);  // it may not lead its group yet
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        pid_ = 0;
        throw SystemError("cannot watch process " + std::to_string(pid), error);
    }
}

ChildHandle::ChildHandle(ChildHandle&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pidfd_(std::move(other.pidfd_)),
      status_(std::exchange(other.status_, std::nullopt)) {}

ChildHandle& ChildHandle::operator=(ChildHandle&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(pidfd_, other.pidfd_);
    std::swap(status_, other.status_);
    return *this;
}

ChildHandle::~ChildHandle() {
    try {
        if (*this && !kill(Deadline::after(death))) {
            log::warning("process {} did not die of SIGKILL within {:g} s and is left behind", pid_,
                         death.count());
        }
    } catch (const std::exception& error) {
        log::warning("process {} cannot be reaped: {}", pid_, error.what());
    }
}

bool ChildHandle::ended() const {
    if (!*this) {
        return true;
    }
    pollfd ready{pidfd_.get(), POLLIN, 0};
    return ::poll(&ready, 1, 0) > 0;
}

std::optional<ExitStatus> ChildHandle::try_reap() {
    return reap(Deadline::after(Seconds(0)));
}

std::optional<ExitStatus> ChildHandle::reap(const Deadline& deadline) {
    if (!*this) {
        return status_;
    }
    pollfd ready{pidfd_.get(), POLLIN, 0};
    for (;;) {
        const int count = ::poll(&ready, 1, deadline.poll_timeout_ms());
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot wait for process " + std::to_string(pid_), errno);
        }
        if (count > 0) {
            if (take_status()) {
                return status_;
            }
            // Dead, but somebody's tracee: first its tracer has to wait for it, and that is no event for us.
            ::poll(nullptr, 0, deadline.sooner(Deadline::after(tracer_pause)).poll_timeout_ms());
        }
        if (deadline.expired()) {
            return std::nullopt;
        }
    }
}

bool ChildHandle::take_status() {
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped < 0 && errno != EINTR) {
        // Somebody else has reaped it, and its number may be another's by now.
        const int error = errno;
        status_ = ExitStatus{};
        throw SystemError("cannot learn how process " + std::to_string(pid_) + " ended", error);
    }
    if (reaped <= 0) {
        return false;
    }
    status_ = ExitStatus::from_wait(status);
    return true;
}

void ChildHandle::signal(int signal) const {
    if (*this) {
        ::kill(pid_, signal);
    }
}

void ChildHandle::signal_group(int signal) const {
    if (*this) {
        ::kill(-pid_, signal);
    }
}

bool ChildHandle::kill(const Deadline& deadline) {
    signal_group(SIGKILL);
    return reap(deadline).has_value() || status_.has_value();
}

pid_t ChildHandle::release() {
    pidfd_.reset();
    status_.reset();
    return std::exchange(pid_, 0);
}

}  // namespace vt::process
