// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A program that runs beside a block test: QEMU, qemu-nbd, a storage daemon.
///
/// Unlike a Supervised one it inherits descriptors (one end of a QMP connection, those of `-add-fd`) and
/// writes where its owner says, as scripts compare that output. It dies with the process that started it.
#pragma once

#include "runner/process/child_handle.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt::block {

/// What Program is started with.
struct ProgramStart {
    std::vector<std::string> argv;
    std::optional<int> output;   ///< standard output and error; absent: those of the calling process
    std::vector<int> inherited;  ///< descriptors that it has under the same numbers
};

/// A running program; killed and reaped when the object goes. Every call is safe from several threads.
class Program {
  public:
    /// Throws process::NotFoundError, SystemError.
    explicit Program(const ProgramStart& start);

    pid_t pid() const { return pid_; }
    /// Readable once it has ended; valid while this object lives.
    int pidfd() const { return pidfd_; }
    /// How it ended, if it has.
    std::optional<process::ExitStatus> poll();
    /// Waits for its end; nothing if \p deadline passes first.
    std::optional<process::ExitStatus> wait(const Deadline& deadline);
    /// Sends \p signal to it alone; nothing if it has ended.
    void signal(int signal);

  private:
    std::mutex mutex_;
    process::ChildHandle child_;
    pid_t pid_ = 0;
    int pidfd_ = -1;
};

/// Waits until \p file exists. False if \p program ends, or \p deadline passes, before.
bool await_file(const std::filesystem::path& file, Program& program, const Deadline& deadline);

/// The calling process's descriptors above 2 that are not closed at exec.
std::vector<int> inheritable_descriptors();

}  // namespace vt::block
