// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Programs of the host on a terminal of their own: aexpect's Spawn, Expect and ShellSession, in C++.
///
/// The program leads a session, so that Ctrl-C reaches what it runs, and dies with this process. The terminal
/// does not echo and does not translate newlines, as aexpect sets it up. Everything it printed is kept (the
/// last 64 MiB), whether a session has taken it or not.
#pragma once

#include "runner/session/shell_session.hpp"
#include "runner/support/deadline.hpp"

#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace vt {

class IoLoop;

/// A program on a terminal. Thread-safe.
class LocalProcess {
  public:
    /// The leader of its session and process group: a shell of ours, the program's parent.
    pid_t pid() const;
    /// Its exit status as a shell tells it (128 + N if signal N killed it) once it has ended; the negative
    /// number of the signal if its leader was killed with it.
    std::optional<int> status() const;
    /// Waits for its end and the last of its output; nothing if \p deadline passes first.
    std::optional<int> wait(const Deadline& deadline);
    /// Sends \p signal to its process group; nothing if it has ended.
    void kill(int signal);
    /// All that it printed so far.
    std::string output() const;

    struct State;
    explicit LocalProcess(std::shared_ptr<State> state) : state_(std::move(state)) {}

  private:
    std::shared_ptr<State> state_;
};

/// A program and the session on its terminal. The program is killed when the session is closed or destroyed.
struct LocalSession {
    std::unique_ptr<ShellSession> session;
    LocalProcess process;
};

/// Runs \p command, a shell's command line. \p loop must outlive the session. \p on_line gets each line of
/// output from the first one on. Throws SystemError.
LocalSession local_session(IoLoop& loop, const std::string& command, const ShellOptions& options,
                           bool echo = false, LineHandler on_line = {});

}  // namespace vt
