// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Whether it is worth while to connect to a guest's server, told by somebody who sees more than a connection
/// does.
///
/// With user-mode networking QEMU accepts a forwarded connection long before the guest has a network, keeps
/// it though its other end may be gone, and delivers it late: each one that is made too early costs the guest
/// a server process just when it has the most to do. Who can look at the guest's network (see port_knock.hpp)
/// tells by this interface when there is something to connect to. Logins work without it, too.
#pragma once

namespace vt {

/// One server of one guest. All calls come from the thread that waits for the login.
class ServerSign {
  public:
    enum class State {
        unknown,    ///< cannot be told (any more): connections have to find out
        absent,     ///< the guest's network does not answer
        refusing,   ///< the guest answers that nobody listens
        listening,  ///< the guest takes connections
    };

    ServerSign() = default;
    virtual ~ServerSign() = default;
    ServerSign(const ServerSign&) = delete;
    ServerSign& operator=(const ServerSign&) = delete;

    /// What is known now; fd() is not readable again until something changes.
    virtual State look() = 0;
    /// Readable after a change.
    virtual int fd() const = 0;
    /// A connection failed: what was seen holds no longer.
    virtual void ask_again() = 0;
};

}  // namespace vt
