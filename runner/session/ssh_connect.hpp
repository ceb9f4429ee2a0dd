// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// From a host and port to an authenticated libssh session; the inside of ssh.hpp.
///
/// libssh runs non-blocking here: each step is repeated whenever its descriptor is ready, so that deadline
/// and interrupt hold in the middle of a key exchange. The descriptor is ours (libssh gets a duplicate):
/// shutting it down ends any wait inside libssh.
#pragma once

#include "runner/session/ssh.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>

struct ssh_session_struct;

namespace vt {

/// How patient the wait for a server is.
struct ConnectPace {
    /// How long a connection may be silent before a second one is made beside it. It may hang in the
    /// network's retransmission back-off while a fresh one gets through.
    Seconds silence{10};
    /// How long it may be silent before it is given up: user-mode networking gives up after 75 s itself, and
    /// what is silent longer has an end in a guest that has started anew.
    Seconds longest_silence{90};
    /// No sign of the guest is trusted for ever: after this time one connection is made all the same.
    Seconds longest_hold{120};
};

/// One connection to \p target whose next bytes are the server's SSH identification. With \p persistent,
/// connections are tried until \p deadline, as few as can be: one at a time, a second one beside one that has
/// been silent for ten seconds, none while the target's sign says that it would be in vain, and after
/// refusals pauses that grow. Else the first refusal counts. Throws LoginError, LoginTimeoutError.
UniqueFd connect_to_banner(const SshTarget& target, const Deadline& deadline, bool persistent,
                           const ConnectPace& pace = {});

/// Throws LoginImpossibleError if libssh takes no such target, whatever its server says.
void check_target(const SshTarget& target);

/// An authenticated connection.
class SshConnection {
  public:
    /// Exchanges keys and authenticates over \p socket. Throws LoginError and its children;
    /// LoginImpossibleError where another try would fail alike.
    SshConnection(UniqueFd socket, const SshTarget& target, const Deadline& deadline);
    ~SshConnection();
    SshConnection(const SshConnection&) = delete;
    SshConnection& operator=(const SshConnection&) = delete;

    ssh_session_struct* session() const { return session_; }
    int fd() const { return fd_.get(); }
    /// libssh's last error text.
    std::string error_text() const;

    /// Repeats \p step, which returns a libssh code, until it returns something else than \p again.
    /// Throws LoginTimeoutError naming \p what, LoginError if interrupted.
    int complete(const std::function<int()>& step, int again, const std::string& what,
                 const Deadline& deadline);

    /// Ends the connection for whoever waits on it; thread-safe.
    void shut_down() const;

  private:
    void exchange_keys(const SshTarget& target, const Deadline& deadline);
    void authenticate(const SshTarget& target, const Deadline& deadline);
    int answer_questions(const SshTarget& target, const Deadline& deadline);

    UniqueFd fd_;
    std::string peer_;
    std::shared_ptr<Interrupt> interrupt_;
    ssh_session_struct* session_ = nullptr;
};

}  // namespace vt
