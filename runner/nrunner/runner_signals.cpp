// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/runner_signals.hpp"

#include "runner/support/error.hpp"

#include <cerrno>

#include <sys/signalfd.h>
#include <unistd.h>

namespace vt::nrunner {

RunnerSignals::RunnerSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT}) {
        sigaddset(&set, number);
    }
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) {
        throw SystemError("cannot read signals", errno);
    }
    pipe_before_ = ::signal(SIGPIPE, SIG_IGN);
    file_size_before_ = ::signal(SIGXFSZ, SIG_IGN);
}

RunnerSignals::~RunnerSignals() {
    ::signal(SIGPIPE, pipe_before_);
    ::signal(SIGXFSZ, file_size_before_);
    ::signal(SIGTSTP, SIG_IGN);  // there is nothing left to pause, and a stopped process would not end
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int RunnerSignals::take() const {
    signalfd_siginfo info{};
    return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

bool means_end(int number) {
    return number != SIGTSTP && number != SIGCONT && number != 0;
}

std::string signal_reason(int number) {
    switch (number) {
        case SIGTERM:
            return "Test interrupted: the runner was told to end (SIGTERM), by a timeout of Avocado's or by "
                   "its user";
        case SIGINT:
            return "Test interrupted by the user (SIGINT)";
        default:
            return "Test interrupted: the terminal is gone (SIGHUP)";
    }
}

}  // namespace vt::nrunner
