// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A monitor that does not answer is spoken of while it is still waited for, not only at the end.
#pragma once

#include "runner/support/deadline.hpp"

#include <string>

#include <sys/types.h>

namespace vt {

/// The process at the other end of the connected Unix socket \p fd; 0 if that cannot be told.
pid_t socket_peer(int fd);

/// Watches one wait for a reply.
class Silence {
  public:
    /// \param who the monitor ("vm1.qmp"), \param what the command, \param first after which the first word
    /// is due; each later one takes twice as long
    Silence(std::string who, std::string what, pid_t peer, Seconds first)
        : who_(std::move(who)),
          what_(std::move(what)),
          peer_(peer),
          pause_(first),
          due_(Deadline::after(first)) {}

    /// When speak() is due.
    const Deadline& due() const { return due_; }
    /// Logs what is waited for, for how long, and what state the other process is in.
    void speak();
    /// "; QEMU (pid 12) is stopped …" for the error at the end; empty if the process is not known.
    static std::string state_words(pid_t peer);

  private:
    std::string who_;
    std::string what_;
    pid_t peer_;
    Seconds pause_;
    Deadline due_;
    Seconds since_ = Deadline::pause_free_now();
};

}  // namespace vt
