// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/sweeper_watch.hpp"

#include "runner/nrunner/result.hpp"
#include "runner/process/process.hpp"
#include "runner/process/spawn.hpp"
#include "runner/process/sweeper.hpp"

#include <csignal>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <sys/wait.h>

namespace vt::nrunner {
namespace {

/// For an Avocado that reads late. It ends at once where nobody listens any more.
constexpr Seconds patience{60};

std::string killed_by(int signal) {
    const char* name = ::sigabbrev_np(signal);
    return fmt::format("was killed by signal {}{}", signal,
                       name == nullptr ? "" : fmt::format(" (SIG{})", name));
}

}  // namespace

std::string killed_reason(std::optional<int> wait_status) {
    std::string how = "was killed, most likely by signal 9 (SIGKILL),";
    if (wait_status) {
        const auto end = process::ExitStatus::from_wait(*wait_status);
        how = end.signal != 0 ? killed_by(end.signal) : fmt::format("ended with {}", end.text());
    }
    return fmt::format(
        "the runner {} before the test was over; if nobody did it, memory ran out: see the kernel's log",
        how);
}

void SweeperWatch::start() {
    process::SweeperEnd then;
    then.descriptors = outbox_.descriptors();
    then.action = [this](std::optional<int> wait_status) {
        const auto reason = killed_reason(wait_status);
        const auto started = messages_.started(output_dir_);
        const auto log =
            messages_.log(log::Level::error, "vt", format_log_line(log::Level::error, "vt", reason));
        outbox_.take_over(started, {log, messages_.finished({Status::error, reason, "RunnerError", {}, {}})});
        drive(outbox_, Deadline::after(patience));
    };
    pid_ = process::start_sweeper(ProcessId::of(::getpid()), then);
    pidfd_ = process::open_pidfd(pid_);
}

void SweeperWatch::end() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(std::exchange(pid_, 0), nullptr, 0);
        pidfd_.reset();
    }
}

void SweeperWatch::replace() {
    end();
    start();
}

}  // namespace vt::nrunner
