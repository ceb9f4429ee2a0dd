// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The supervisor's sweeper: started, watched, started again; and what it says in a killed supervisor's
/// place.
///
/// A supervisor that gets SIGKILL cannot say `finished`, for which Avocado would wait for ever. The sweeper
/// was forked from it, with its connections, and shares the book of what has been sent (delivery_record.hpp).
/// So after it has swept it says the last words: that the runner was killed, and by which signal.
#pragma once

#include "runner/nrunner/message.hpp"
#include "runner/nrunner/outbox.hpp"
#include "runner/support/unique_fd.hpp"

#include <optional>
#include <string>

#include <sys/types.h>

namespace vt::nrunner {

/// The sweeper of one supervisor, which is the calling process. All arguments must outlive it.
class SweeperWatch {
  public:
    SweeperWatch(Outbox& outbox, MessageMaker& messages, const std::string& output_dir)
        : outbox_(outbox), messages_(messages), output_dir_(output_dir) {}

    /// Forks it. To be called while the process has one thread. Throws SystemError.
    void start();
    /// Ends it: nothing is left to be swept or said.
    void end();
    /// Whoever killed it may mean us next: starts another one. To be called when fd() is readable.
    void replace();

    /// Readable when it has ended; -1 if there is none.
    int fd() const { return pidfd_.get(); }
    /// Its pid, to be spared; 0 if there is none.
    pid_t pid() const { return pid_; }

  private:
    Outbox& outbox_;
    MessageMaker& messages_;
    const std::string& output_dir_;
    pid_t pid_ = 0;
    UniqueFd pidfd_;
};

/// Why a test has no result whose supervisor ended so (as waitpid tells it; nothing if that could not be
/// seen).
std::string killed_reason(std::optional<int> wait_status);

}  // namespace vt::nrunner
