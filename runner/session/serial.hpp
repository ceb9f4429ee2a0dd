// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A guest's serial console: logged from its first byte, watched for patterns, and a second way to log in.
///
/// The console is a Unix stream socket that QEMU serves. It is read in the background from connect() on; each
/// line goes with a time stamp to the log file and to the watchers. Sessions on it come and go without
/// closing it. One session at a time makes sense: they share what the guest prints.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vt {

class IoLoop;

/// How to log in on a console.
struct ConsoleLogin {
    std::string username = "root";
    std::string password;
    ShellOptions shell;
    /// Ends the wait early, may be empty.
    std::shared_ptr<Interrupt> interrupt;
};

/// A connected console. \p loop must outlive it.
class SerialConsole {
  public:
    /// Connects to \p socket, awaiting that it exists and listens until \p deadline.
    /// \param log_file made if missing, appended to; empty for none
    /// \param interrupt ends the wait early, may be null
    /// Throws TimeoutError, InterruptedError, SystemError.
    SerialConsole(IoLoop& loop, const std::filesystem::path& socket, const std::filesystem::path& log_file,
                  const Deadline& deadline, const Interrupt* interrupt = nullptr);
    ~SerialConsole();

    /// Calls \p watcher with each line from now on, on the loop's thread. Control sequences are removed.
    void watch(LineHandler watcher);
    /// Calls \p on_closed once when the connection ends (QEMU's exit); at once if it has.
    void on_closed(std::function<void()> handler);
    /// The last \p bytes bytes printed, from a line's beginning: what to show when a login fails.
    std::string tail(std::size_t bytes = 2000) const;
    bool is_open() const;

    /// Leaves the console to somebody else: QEMU serves one client at a time. Nobody is told that it closed;
    /// whoever writes waits. From any thread.
    void let_go();
    /// Connects again, as soon as nobody else is there; what was printed meanwhile is lost to the log, which
    /// says so. Throws TimeoutError, SystemError.
    void take_back(const Deadline& deadline);
    /// The socket that QEMU serves.
    const std::filesystem::path& socket() const;

    /// A session on the console as it is: for tests that read and write themselves.
    std::unique_ptr<ShellSession> session(ShellOptions options);
    /// Logs in, whatever state the console is in: login prompt, password prompt, shell. Throws
    /// LoginAuthenticationError, LoginTimeoutError, LoginProcessTerminatedError, LoginError.
    std::unique_ptr<ShellSession> login(const ConsoleLogin& login, const Deadline& deadline);

    struct Impl;

  private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt
