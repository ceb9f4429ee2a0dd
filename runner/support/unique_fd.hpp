// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// An owned file descriptor.
#pragma once

#include <utility>

#include <unistd.h>

namespace vt {

/// Closes its descriptor when it goes; movable, not copyable.
class UniqueFd {
  public:
    UniqueFd() = default;
    /// Takes over \p fd; -1 means none.
    explicit UniqueFd(int fd) noexcept : fd_(fd) {}
    UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    UniqueFd(const UniqueFd&) = delete;
    UniqueFd& operator=(const UniqueFd&) = delete;
    ~UniqueFd() { reset(); }

    /// The descriptor, -1 if there is none.
    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    /// Gives the descriptor away.
    int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the descriptor and takes over \p fd.
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) {
            ::close(fd_);
        }
        fd_ = fd;
    }

  private:
    int fd_ = -1;
};

}  // namespace vt
