// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a server says before its SSH identification.
///
/// RFC 4253, 4.2: a server may send lines of text before the line that begins with "SSH-". They are taken off
/// the socket here, the identification stays there for libssh, which takes the first line for it. OpenSSH
/// that has too many clients sends such a line ("Exceeded MaxStartups") and hangs up.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace vt {

/// The beginning of what one connection's peer says.
class SshGreeting {
  public:
    enum class State {
        waiting,  ///< neither end nor identification yet
        speaks,   ///< "SSH-" is next on the socket
        closed,   ///< the peer hung up; said() may tell why
        strange,  ///< too much of something else
    };

    /// Takes what there is on \p fd, a connected stream socket, without waiting. Throws SystemError where the
    /// connection is broken.
    State read(int fd);
    /// The last line before the identification, as text for people; empty if there was none.
    const std::string& said() const { return said_; }

  private:
    State take_text(int fd, std::string_view bytes);

    std::size_t lines_ = 0;
    std::size_t length_ = 0;  ///< of the line that is not at its end
    std::string line_, said_;
};

}  // namespace vt
