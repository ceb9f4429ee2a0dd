// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A way to end somebody's wait for a reason: the guest died, the test is being stopped.
///
/// Waiting code polls the descriptor beside its own and throws with the reason. Raised once, it stays raised.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <mutex>
#include <optional>
#include <string>

namespace vt {

/// Raised by whoever knows that waiting is in vain. Thread-safe; share by shared_ptr.
class Interrupt {
  public:
    Interrupt();

    /// Wakes all waits, now and later; the first reason counts ("QEMU ended with status 1").
    void raise(const std::string& reason);
    /// The reason once raised.
    std::optional<std::string> reason() const;
    /// Readable once raised.
    int fd() const { return fd_.get(); }

  private:
    mutable std::mutex mutex_;
    std::optional<std::string> reason_;
    UniqueFd fd_;
};

}  // namespace vt
