// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A pseudo terminal with a shell at the other end of an SSH connection.
///
/// A libssh session is not thread-safe, so one mutex guards it; nobody waits while holding it. The IoLoop
/// reads whenever the socket has something; writers write what the peer's window takes and wait for the loop
/// to see more of it.
#pragma once

#include "runner/session/ssh_connect.hpp"
#include "runner/session/terminal.hpp"

#include <memory>

namespace vt {

/// The client's end of an interactive shell.
class SshTerminal : public Terminal {
  public:
    /// Opens a channel with a terminal and a shell on \p connection. Throws LoginError and its children.
    SshTerminal(IoLoop& loop, std::unique_ptr<SshConnection> connection, const SshTarget& target,
                const Deadline& deadline);
    ~SshTerminal() override;
    SshTerminal(const SshTerminal&) = delete;
    SshTerminal& operator=(const SshTerminal&) = delete;

    void write(std::string_view bytes, const Deadline& deadline) override;
    void close() override;
    OutputBuffer& output() override;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace vt
