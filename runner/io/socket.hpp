// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Connecting and waiting on descriptors with a Deadline and an Interrupt, for all that talks to a guest.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/unique_fd.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace vt {

/// A wait was ended by an Interrupt; what() is its reason.
class InterruptedError : public Error {
  public:
    using Error::Error;
};

/// Waits until poll(2) reports one of \p events (or an error) on \p fd; false if \p deadline passed.
/// Throws InterruptedError if \p interrupt (may be null) is raised, SystemError.
bool wait_ready(int fd, short events, const Deadline& deadline, const Interrupt* interrupt = nullptr);

/// Sends all of \p bytes on the socket \p fd, blocking or not. Throws TimeoutError, SystemError.
void send_all(int fd, std::string_view bytes, const Deadline& deadline);

/// A connected stream socket to \p path. While nobody listens there it waits: for the file by inotify, for
/// the short time between bind(2) and listen(2), which has no event, by a timer. Throws TimeoutError,
/// InterruptedError, SystemError.
UniqueFd connect_unix(const std::filesystem::path& path, const Deadline& deadline,
                      const Interrupt* interrupt = nullptr);

}  // namespace vt
