// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The one place that forks and executes programs, on Boost.Process v2's launcher.
///
/// Shaped by PR_SET_PDEATHSIG, which follows the parent *thread*: calls from other threads than the main one
/// are handed to a thread that lives as long as the process.
#pragma once

#include "runner/process/child_handle.hpp"
#include "runner/process/process.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace vt::process {

/// A descriptor of ours and its number in the child.
struct BoundFd {
    int ours;
    int theirs;
};

/// What a started process is the leader of.
enum class Leads {
    group,    ///< a process group, in our session
    session,  ///< a session, with its standard input as the controlling terminal
};

/// The rest of what a child is started with.
struct SpawnOptions {
    Leads leads = Leads::group;
    Limits limits;
    std::optional<std::uint64_t> mark;  ///< see new_supervision_mark() in sweeper.hpp
};

/// Starts \p command with exactly the descriptors \p fds open, leading a process group (at least) of its own,
/// to be killed when the calling process dies. The handle is the child's only owner from its first moment;
/// whatever fails after the fork leaves no child. Throws NotFoundError, SystemError.
ChildHandle spawn(const Command& command, const std::vector<BoundFd>& fds, const SpawnOptions& options = {});

/// A pidfd of \p pid, which must be a child that has not been reaped. Throws SystemError.
UniqueFd open_pidfd(pid_t pid);

}  // namespace vt::process
