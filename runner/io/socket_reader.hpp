// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A connected stream socket that the IoLoop reads whatever the test does: under monitors and consoles.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace vt {

class IoLoop;

/// Reads in the background from construction to destruction. \p loop must outlive it.
class SocketReader {
  public:
    /// Both run on the loop's thread and must not throw.
    struct Handlers {
        std::function<void(std::string_view bytes)> on_bytes;
        /// Called once when the peer ends the connection, not after close().
        std::function<void(const std::string& reason)> on_end;
    };

    SocketReader(IoLoop& loop, UniqueFd socket, Handlers handlers);
    /// No handler runs any more once this returns.
    ~SocketReader();
    SocketReader(const SocketReader&) = delete;
    SocketReader& operator=(const SocketReader&) = delete;

    /// Sends all of \p bytes; calls of several threads do not mix. Throws TimeoutError, SystemError.
    void write(std::string_view bytes, const Deadline& deadline);
    /// Ends the connection. From any thread, idempotent.
    void close();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace vt
