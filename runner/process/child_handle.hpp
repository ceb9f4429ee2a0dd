// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The one owning handle of a child process: its number and its pidfd.
///
/// Every spawn returns one, so there is no moment in which a child runs that nobody owns: what is thrown
/// between the spawn and the last step of whatever the child is for kills and reaps it. The child's number is
/// used only until it is reaped, as the kernel may give it to another process after that.
#pragma once

#include "runner/process/exit_status.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <optional>
#include <utility>

#include <sys/types.h>

namespace vt::process {

/// A child of the calling process that leads a process group. Movable; not thread-safe.
class ChildHandle {
  public:
    /// No child.
    ChildHandle() = default;
    /// Owns the child \p pid, which has not been reaped. If no descriptor of it can be had it is killed and
    /// reaped before SystemError is thrown.
    explicit ChildHandle(pid_t pid);
    ChildHandle(ChildHandle&& other) noexcept;
    ChildHandle& operator=(ChildHandle&& other) noexcept;
    ChildHandle(const ChildHandle&) = delete;
    ChildHandle& operator=(const ChildHandle&) = delete;
    /// Kills the group and reaps the child, unless it has been reaped. A child that cannot die (it sleeps
    /// uninterruptibly in the kernel) is left behind, with a warning in the log, after some seconds.
    ~ChildHandle();

    /// 0 for no child; also known after it was reaped.
    pid_t pid() const { return pid_; }
    /// Readable once the child has ended; stays valid after it was reaped.
    int pidfd() const { return pidfd_.get(); }
    /// True while there is something to reap.
    explicit operator bool() const { return pid_ > 0 && !status_; }
    /// True once the child has ended, reaped or not.
    bool ended() const;
    /// Reaps the child if it has ended: how it ended.
    std::optional<ExitStatus> try_reap();
    /// Waits for the child's end and reaps it; nothing if \p deadline passes first.
    std::optional<ExitStatus> reap(const Deadline& deadline);
    /// How it ended, once it was reaped.
    const std::optional<ExitStatus>& status() const { return status_; }
    /// Sends \p signal to the child alone; nothing if it has been reaped.
    void signal(int signal) const;
    /// Sends \p signal to the child's process group; nothing if the child has been reaped.
    void signal_group(int signal) const;
    /// SIGKILL to the group, then reaps; false if the child had not died when \p deadline passed.
    bool kill(const Deadline& deadline);
    /// Lets go of the child, which lives on and is for the caller to reap. Returns its number.
    pid_t release();

  private:
    bool take_status();

    pid_t pid_ = 0;
    UniqueFd pidfd_;
    std::optional<ExitStatus> status_;
};

}  // namespace vt::process
