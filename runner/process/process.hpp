// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Children under supervision: argv in, output and exit status out, never a shell, never an orphan.
///
/// Every child dies with the thread group that started it (PR_SET_PDEATHSIG set between fork and exec, from a
/// thread that lives as long as the process) and leads a process group of its own, which is what gets killed.
/// Spawning goes through Boost.Process v2; waiting is on a pidfd and the output pipes, with a Deadline.
#pragma once

#include "runner/process/exit_status.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace vt::process {

/// What to run.
struct Command {
    std::vector<std::string> argv;                   ///< argv[0] is looked up on PATH if it has no slash
    std::filesystem::path working_dir;               ///< empty: the caller's
    std::map<std::string, std::string> environment;  ///< added to the caller's, or replacing
    std::string input;                               ///< written to its standard input, then closed
    bool merge_stderr = false;                       ///< standard error goes where standard output goes
    bool exact_environment = false;                  ///< \ref environment is all that the child gets

    /// As a person would paste it.
    std::string text() const;
};

/// What a process may use; what is absent is as the caller's.
struct Limits {
    std::optional<std::uint64_t> core;    ///< size of a core in bytes; more than allowed counts as allowed
    std::optional<std::uint64_t> nofile;  ///< open descriptors
};

/// A finished command.
struct Completed {
    ExitStatus status;
    std::string out;
    std::string err;
};

/// The program is not there, or not executable; what() names it and where it was looked for.
class NotFoundError : public Error {
  public:
    using Error::Error;
};

/// A command ended otherwise than wanted; what() has the command, the status and the end of its standard
/// error.
class CommandError : public Error {
  public:
    CommandError(const Command& command, Completed completed);
    const Completed& completed() const { return completed_; }

  private:
    Completed completed_;
};

/// Full path of \p program on PATH (or itself, if it has a slash and is executable); nothing if there is
/// none.
std::optional<std::filesystem::path> find_program(std::string_view program);

/// Runs \p command to its end and returns output and status, whatever the status. At most \p output_limit
/// bytes of each stream are kept (the last ones). Throws NotFoundError, TimeoutError (the group is killed
/// first), SystemError.
Completed run(const Command& command, const Deadline& deadline,
              std::size_t output_limit = std::size_t{64} << 20);

/// As run(), but throws CommandError unless the status is 0.
Completed check(const Command& command, const Deadline& deadline,
                std::size_t output_limit = std::size_t{64} << 20);

/// A child that runs beside its starter.
class Child {
  public:
    /// Receives a line of output without its newline; called by whoever calls pump() or wait().
    using LineHandler = std::function<void(std::string_view line)>;

    /// Starts \p command. \p on_line gets its output lines (both streams); without it output goes to
    /// /dev/null. Throws NotFoundError, SystemError.
    explicit Child(const Command& command, LineHandler on_line = {});
    Child(Child&&) noexcept;
    /// Kills the group if it still runs.
    ~Child();

    pid_t pid() const;
    /// Readable when the process has ended; valid while this object lives.
    int pidfd() const;
    /// True until it has ended; collects the status.
    bool running();
    /// Waits for the end, passing lines on. Throws TimeoutError; the child goes on.
    ExitStatus wait(const Deadline& deadline);
    /// The status, once it has ended.
    std::optional<ExitStatus> status() const;
    /// Sends \p signal to the process's group; nothing if it has ended.
    void signal(int signal);
    /// SIGTERM, after \p grace SIGKILL; returns when it is gone.
    ExitStatus terminate(Seconds grace);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Stops \p root, a child of the caller's, and all its descendants (SIGSTOP); what was orphaned is no
/// descendant any more and runs on.
void stop_tree(pid_t root);
/// Lets them go on, \p root last.
void continue_tree(pid_t root);

/// Sends SIGKILL to every descendant of the calling process but those in \p spared, until none is left or the
/// deadline passes; returns the number killed. Needs PR_SET_CHILD_SUBREAPER to see those that were orphaned.
std::size_t kill_descendants(const std::vector<pid_t>& spared, const Deadline& deadline);

}  // namespace vt::process
