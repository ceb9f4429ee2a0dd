// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/interrupt.hpp"

#include "runner/support/error.hpp"

#include <cerrno>

#include <sys/eventfd.h>

namespace vt {

Interrupt::Interrupt() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) {
        throw SystemError("make an event descriptor", errno);
    }
}

void Interrupt::raise(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (!reason_) {
        reason_ = reason;
        // Never read back, so it stays readable; a full counter cannot be, as it is written once.
        ::eventfd_write(fd_.get(), 1);
    }
}

std::optional<std::string> Interrupt::reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
}

}  // namespace vt
