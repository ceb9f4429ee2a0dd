// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// QEMU's human monitor on a socket of its own (`monitor_type = human`): lines in, text up to the "(qemu)"
/// prompt out.
#pragma once

#include "runner/monitor/monitor_error.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/session/terminal.hpp"
#include "runner/support/deadline.hpp"

#include <memory>
#include <mutex>
#include <string>

namespace vt {

/// A connected human monitor. Commands of several threads queue up.
class HumanMonitor {
  public:
    /// Connects and finds the prompt. Throws MonitorConnectError, MonitorProtocolError.
    static std::unique_ptr<HumanMonitor> connect(IoLoop& loop, const MonitorAddress& address,
                                                 const Deadline& deadline);
    ~HumanMonitor();

    /// Runs \p line; returns what it printed. Throws HumanCmdError if that says "Error: ",
    /// MonitorProtocolError if the prompt does not come back, MonitorLockError if another thread does not
    /// finish, MonitorSocketError.
    std::string command(const std::string& line, const Deadline& deadline);
    /// Throws unless `info status` is answered.
    void verify_responsive(const Deadline& deadline);
    bool is_responsive(const Deadline& deadline);
    bool is_open() const;
    void close();

  private:
    struct Impl;
    explicit HumanMonitor(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt
