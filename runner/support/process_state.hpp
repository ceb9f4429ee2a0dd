// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a process is doing, in words: for messages about one that does not answer.
#pragma once

#include <string>

#include <sys/types.h>

namespace vt {

/// "is stopped (SIGSTOP; \"kill -CONT 12\" lets it go on)", "sleeps", "has ended" and the like for process \p
/// pid, from the third field of /proc/PID/stat (proc(5)).
std::string process_state_text(pid_t pid);

/// Whether \p pid is stopped, by a signal or a debugger.
bool process_is_stopped(pid_t pid);

}  // namespace vt
