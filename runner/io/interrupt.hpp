// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A way to end somebody's wait for a reason: the guest died, the test is being stopped.
///
/// Waiting code polls the descriptor beside its own and throws with the reason. Raised once, it stays raised.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

    /// Calls \p handler when raised, on the raiser's thread; at once if it is raised already. Returns a
    /// number for forget().
    std::uint64_t on_raise(std::function<void()> handler);
    /// The handler neither runs nor will run once this returns.
    void forget(std::uint64_t id);

  private:
    mutable std::mutex mutex_;
    std::optional<std::string> reason_;
    UniqueFd fd_;
    std::mutex calling_;  ///< held while handlers run
    std::vector<std::pair<std::uint64_t, std::function<void()>>> handlers_;
    std::uint64_t next_id_ = 1;
};

/// Calls a handler when an interrupt (may be null) is raised during the watch's life.
class InterruptWatch {
  public:
    InterruptWatch(std::shared_ptr<Interrupt> interrupt, std::function<void()> handler)
        : interrupt_(std::move(interrupt)), id_(interrupt_ ? interrupt_->on_raise(std::move(handler)) : 0) {}
    ~InterruptWatch() {
        if (interrupt_) {
            interrupt_->forget(id_);
        }
    }
    InterruptWatch(const InterruptWatch&) = delete;
    InterruptWatch& operator=(const InterruptWatch&) = delete;

  private:
    std::shared_ptr<Interrupt> interrupt_;
    std::uint64_t id_;
};

}  // namespace vt
