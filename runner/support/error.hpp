// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The root of every exception of the project, and the two that every layer throws.
///
/// An error text says what was wanted, what was found, and what to do. Layers derive their own types where a
/// caller can tell them apart (a session's ShellTimeoutError, a VM's VmCreateError); everything else throws
/// Error itself.
#pragma once

#include <stdexcept>
#include <string>

namespace vt {

/// What the project throws; what() is one readable sentence.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// A deadline passed; what() says what was awaited, for how long, and what was last seen.
class TimeoutError : public Error {
  public:
    using Error::Error;
};

/// A system call failed; what() ends with the text of errno.
class SystemError : public Error {
  public:
    /// \param what what was attempted, for instance "open /etc/foo"
    /// \param errnum the value of errno
    SystemError(const std::string& what, int errnum);

    /// The value of errno that made it.
    int errnum() const noexcept { return errnum_; }

  private:
    int errnum_;
};

/// The text of errno \p errnum, for instance "No such file or directory" (thread-safe).
std::string errno_text(int errnum);

}  // namespace vt
