// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Small pieces around the start of a QEMU: its sockets, and the watch over its end.
#pragma once

#include "runner/io/io_loop.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace vt::qemu {

/// Waits until \p socket is there; false if the process of \p pidfd ends first. Throws TimeoutError.
bool wait_for_socket(const std::filesystem::path& socket, int pidfd, const Deadline& deadline);

/// Calls \p on_end once, on the loop's thread, when the process of \p pidfd has ended, unless destroyed
/// before.
class EndWatch {
  public:
    EndWatch(IoLoop& loop, int pidfd, std::function<void()> on_end);
    ~EndWatch();
    EndWatch(const EndWatch&) = delete;
    EndWatch& operator=(const EndWatch&) = delete;

  private:
    struct Impl;
    IoLoop& loop_;
    std::shared_ptr<Impl> impl_;
};

/// A version 4 UUID.
std::string random_uuid();

/// Whether \p pidfd's process ends before \p deadline.
bool wait_for_end(int pidfd, const Deadline& deadline);

}  // namespace vt::qemu
