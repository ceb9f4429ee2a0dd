// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The forked process that runs a task's test code, as its supervisor holds it.
#pragma once

#include "runner/nrunner/supervisor.hpp"
#include "runner/process/process.hpp"
#include "runner/support/unique_fd.hpp"

#include <optional>
#include <string>

#include <signal.h>
#include <sys/types.h>

namespace vt::nrunner {

/// The supervisor's ends of everything that leads to the body.
class BodyProcess {
  public:
    /// Forks. \p mask is the signal mask that test code gets, \p owner the process whose end is the job's.
    /// Throws SystemError.
    BodyProcess(const Task& task, const ProcessId& owner, const TestBody& body, const sigset_t& mask);
    /// Kills it if it still runs.
    ~BodyProcess();
    BodyProcess(const BodyProcess&) = delete;
    BodyProcess& operator=(const BodyProcess&) = delete;

    int pidfd() const { return pidfd_.get(); }
    int output_fd() const { return output_.get(); }
    int error_fd() const { return error_.get(); }
    int channel_fd() const { return channel_.get(); }

    /// What is there on one of the two streams, at most 64 KiB; nothing at its end (which closes it), an
    /// empty text if there is nothing now.
    std::optional<std::string> read_output() { return read(output_); }
    std::optional<std::string> read_error() { return read(error_); }
    /// The next packet; nothing when there is none now or will be none any more (then the channel is closed).
    std::optional<std::string> read_packet();

    /// Says a word to the body; does not wait.
    void tell(Word word, const std::string& text = {});
    /// Stops the body and what it runs, and lets them go on (SIGSTOP, SIGCONT).
    void freeze();
    void thaw();
    /// Kills it with its process group.
    void kill();
    /// Its end, once pidfd() is readable.
    process::ExitStatus collect();

  private:
    static std::optional<std::string> read(UniqueFd& fd);

    pid_t pid_ = -1;
    UniqueFd pidfd_;
    UniqueFd output_;
    UniqueFd error_;
    UniqueFd channel_;
    bool collected_ = false;
};

}  // namespace vt::nrunner
