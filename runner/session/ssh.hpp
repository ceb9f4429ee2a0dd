// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Sessions and file copies over SSH, by libssh.
///
/// A guest's host key is new each time, so keys are neither checked nor remembered: connections go to a guest
/// that this runner started, over loopback or a test network. The user's SSH configuration, agent and keys
/// are not read.
///
/// With user-mode networking QEMU accepts a connection long before the guest listens, so an accepted
/// connection says nothing; the guest's SSH identification does. A connection that comes too early is no help
/// and does harm: QEMU delivers it when the guest's network is there, also if it was given up meanwhile, and
/// the guest's server answers it when it has the most to do. So wait_for_ssh_login() holds back while the
/// target's sign says that nobody is there, keeps what it has opened, and pauses after refusals. See
/// ssh_connect.hpp.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace vt {

class IoLoop;
class ServerSign;

/// Whom to log in to, and how.
struct SshTarget {
    std::string host = "127.0.0.1";
    int port = 22;
    std::string username = "root";
    std::string password;
    ShellOptions shell;
    /// Local address to connect from, empty for any.
    std::string bind_address;
    /// The scope of a link-local IPv6 address (an interface name).
    std::string interface;
    /// TERM of the remote shell; "dumb" keeps shells from decorating their output.
    std::string terminal_type = "dumb";
    /// Ends waits early, may be empty.
    std::shared_ptr<Interrupt> interrupt;
    /// Tells when connecting is worth while; may be empty.
    std::shared_ptr<ServerSign> sign;
};

/// One attempt: connects, logs in, waits for the prompt. \p loop must outlive the session. Throws
/// LoginAuthenticationError, LoginTimeoutError, LoginProcessTerminatedError, LoginImpossibleError,
/// LoginError.
std::unique_ptr<ShellSession> ssh_login(IoLoop& loop, const SshTarget& target, const Deadline& deadline);

/// Attempts until one succeeds: waits until the guest answers, then logs in. A refused password is believed
/// after five refusals with pauses of 1, 2, 4 and 8 s (a guest may listen before its passwords are set up).
/// What no other try would mend ends the wait at once with a LoginImpossibleError. Throws the last attempt's
/// error when \p deadline passes, LoginError with the reason when the target's interrupt is raised.
std::unique_ptr<ShellSession> wait_for_ssh_login(IoLoop& loop, const SshTarget& target,
                                                 const Deadline& deadline);

/// How a copy goes; each file is reported once when done.
struct CopyOptions {
    /// Directories with all they hold.
    bool recursive = true;
    /// Bytes a second at most, 0 for no limit.
    double bytes_per_second = 0;
    /// Receives "local -> remote (N bytes)" lines: the transfer log.
    std::function<void(const std::string& line)> log;
};

/// Copies local files and directories to \p remote on the target, as `scp -r`: into it if it is a directory,
/// else as it. A local path that does not exist but has wildcards is expanded. Modes are kept. Throws
/// AuthenticationError, TransferTimeoutError, TransferFailedError, SCPError.
void copy_to(const SshTarget& target, const std::vector<std::filesystem::path>& local,
             const std::string& remote, const CopyOptions& options, const Deadline& deadline);

/// Copies remote files and directories (wildcards are expanded by the remote names) to \p local. Throws as
/// copy_to().
void copy_from(const SshTarget& target, const std::vector<std::string>& remote,
               const std::filesystem::path& local, const CopyOptions& options, const Deadline& deadline);

}  // namespace vt
