// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/interrupt.hpp"

#include "runner/support/error.hpp"

#include <algorithm>
#include <cerrno>

#include <sys/eventfd.h>

namespace vt {

Interrupt::Interrupt() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) {
        throw SystemError("make an event descriptor", errno);
    }
}

void Interrupt::raise(const std::string& reason) {
    const std::lock_guard calling(calling_);
    std::vector<std::pair<std::uint64_t, std::function<void()>>> called;
    {
        const std::lock_guard lock(mutex_);
        if (reason_) {
            return;
        }
        reason_ = reason;
        // Never read back, so it stays readable; a full counter cannot be, as it is written once.
        ::eventfd_write(fd_.get(), 1);
        called.swap(handlers_);
    }
    for (const auto& [id, handler] : called) {
        handler();
    }
}

std::uint64_t Interrupt::on_raise(std::function<void()> handler) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        id = next_id_++;
        if (!reason_) {
            handlers_.emplace_back(id, std::move(handler));
            return id;
        }
    }
    handler();
    return id;
}

void Interrupt::forget(std::uint64_t id) {
    const std::lock_guard calling(calling_);
    const std::lock_guard lock(mutex_);
    handlers_.erase(std::remove_if(handlers_.begin(), handlers_.end(),
                                   [&](const auto& entry) { return entry.first == id; }),
                    handlers_.end());
}

std::optional<std::string> Interrupt::reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

}  // namespace vt
