// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The last resort against survivors: a tiny process that outlives a killed supervisor just long enough to
/// sweep.
///
/// Children of ours die with their starter (PR_SET_PDEATHSIG), but what a test starts by other means
/// (Python's subprocess, a shell's background job) does not, and a supervisor that got SIGKILL cannot sweep
/// its descendants. So every task is marked by an environment variable, which whatever it executes inherits,
/// and the sweeper, awaiting the supervisor's end on a pidfd, kills all processes that carry the mark. Ugly:
/// a process that clears its environment escapes it.
#pragma once

#include "runner/support/deadline.hpp"

#include <cstddef>
#include <string>

#include <sys/types.h>

namespace vt::process {

/// The environment variable that marks a task's processes.
constexpr auto task_mark = "AVOCADO_VT_TASK";

/// Marks the calling process's future programs with \p task (unique on this host) and forks the sweeper. To
/// be called while the process has one thread. Returns the sweeper's pid, which must be spared by
/// kill_descendants(); it ends by itself once the caller has ended. Throws SystemError.
pid_t start_sweeper(const std::string& task);

/// Kills every process whose program was executed with the mark \p task; returns how many. Stops at \p
/// deadline.
std::size_t kill_marked(const std::string& task, const Deadline& deadline);

}  // namespace vt::process
