// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The descriptors that processes are started with.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <string>

namespace vt::process {

/// The two ends of a pipe.
struct Pipe {
    UniqueFd read;
    UniqueFd write;

    /// Throws SystemError.
    static Pipe make();
};

/// /dev/null, for reading and writing. Throws SystemError.
UniqueFd open_null();

/// A file without a name that holds \p text, to be read from its beginning. Throws SystemError.
UniqueFd in_memory(const std::string& text);

/// A duplicate of \p fd, closed at exec. Throws SystemError.
UniqueFd duplicate_fd(int fd);

/// Reads and writes of \p fd (-1: nothing) return instead of waiting.
void set_non_blocking(int fd);

}  // namespace vt::process
