// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The last resort against survivors: a tiny process that outlives a killed supervisor just long enough to
/// sweep.
///
/// Children of ours die with their starter (PR_SET_PDEATHSIG), but what a test starts by other means
/// (Python's subprocess, a shell's background job, a daemon) does not, and a supervisor that got SIGKILL
/// cannot sweep its descendants. So every task is marked, and the sweeper, awaiting the supervisor's end on a
/// pidfd, kills all processes that carry the mark. There are two marks. One is an environment variable, for
/// people who look. The other is the soft limit RLIMIT_LOCKS, which Linux has ignored since 2.4.25
/// (getrlimit(2)) and which every descendant inherits, one that only forked or that cleared its environment,
/// too, and which anybody may read in /proc/PID/limits. Ugly, but nothing else goes with a process wherever
/// it goes and needs no privilege; what leaves by another's hand (a service manager) leaves the mark behind
/// as well.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/journal.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace vt::process {

/// The environment variable that marks a task's processes.
constexpr auto task_mark = "AVOCADO_VT_TASK";

/// What else a sweeper does for a supervisor that has ended.
struct SweeperEnd {
    /// Called in the sweeper's process once it has swept, with the supervisor's status as waitpid has it, if
    /// that could be seen.
    std::function<void(std::optional<int> wait_status)> action;
    std::vector<int> descriptors;  ///< that stay open in the sweeper for it
};

/// Marks the calling process and its future children as those of the task whose supervisor is \p task, and
/// forks the sweeper. To be called while the process has one thread. Returns the sweeper's pid, which must be
/// spared by kill_descendants(); it ends by itself once the caller has ended. Throws SystemError.
pid_t start_sweeper(const ProcessId& task, const SweeperEnd& then = {});

/// Takes the mark away from the calling process, for what belongs to no task. Async-signal-safe; the
/// environment variable is the caller's to leave out.
void clear_mark();

/// Kills every process, but the calling one, that carries the mark of \p task; returns how many. Stops at \p
/// deadline.
std::size_t kill_marked(const ProcessId& task, const Deadline& deadline);

/// A number that marks one supervised process (Supervised) and all that it starts, to be set between fork and
/// exec. It is the *hard* limit RLIMIT_LOCKS, so that the task's mark, the soft one, stays. A hard limit can
/// only be lowered by those without privilege, so each number is below the calling process's own.
std::uint64_t new_supervision_mark();

/// Sets the mark for the calling process. Async-signal-safe.
void set_supervision_mark(std::uint64_t mark);

/// The living processes, but the calling one, that carry the supervision mark \p mark.
std::vector<pid_t> supervised_processes(std::uint64_t mark);

/// Kills every process that carries the supervision mark \p mark, until none is left or \p deadline passes;
/// returns how many.
std::size_t kill_supervised(std::uint64_t mark, const Deadline& deadline);

}  // namespace vt::process
