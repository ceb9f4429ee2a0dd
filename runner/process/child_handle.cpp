// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/child_handle.hpp"

#include "runner/support/error.hpp"
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

}  // namespace

ChildHandle::ChildHandle(pid_t pid) : pid_(pid) {
    if (pid <= 0) {
        throw Error("a process with the number " + std::to_string(pid) + " cannot be owned");
    }
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd_) {
        const int error = errno;
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
    int count = 0;
    do {
        count = ::poll(&ready, 1, deadline.poll_timeout_ms());
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot wait for process " + std::to_string(pid_), errno);
        }
    } while (count <= 0 && !deadline.expired());
    if (count <= 0) {
        return std::nullopt;
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) {
        if (errno != EINTR) {
            // Somebody else has reaped it, and its number may be another's by now.
            const int error = errno;
            status_ = ExitStatus{};
            throw SystemError("cannot learn how process " + std::to_string(pid_) + " ended", error);
        }
    }
    status_ = ExitStatus::from_wait(status);
    return status_;
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
