// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What can go wrong on a monitor; names and texts are those of Avocado-VT, which tests catch and match.
#pragma once

#include "runner/support/error.hpp"

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace vt {

/// The parent of all monitor errors.
class MonitorError : public Error {
  public:
    using Error::Error;
};

/// The socket cannot be connected to.
class MonitorConnectError : public MonitorError {
  public:
    /// \param details what failed, put after the standard text in parentheses if not empty
    explicit MonitorConnectError(const std::string& monitor_name, const std::string& details = {});
};

/// Sending or receiving failed: QEMU is gone or going.
class MonitorSocketError : public MonitorError {
  public:
    MonitorSocketError(const std::string& msg, const std::string& cause);
};

/// Another thread uses the monitor and does not end.
class MonitorLockError : public MonitorError {
  public:
    using MonitorError::MonitorError;
};

/// What came is not what the protocol allows, or nothing came in time.
class MonitorProtocolError : public MonitorError {
  public:
    using MonitorError::MonitorError;
};

/// QEMU refused a command.
class MonitorCmdError : public MonitorError {
  public:
    using MonitorError::MonitorError;
};

/// This QEMU cannot do it.
class MonitorNotSupportedError : public MonitorError {
  public:
    using MonitorError::MonitorError;
};

/// This QEMU lacks the command.
class MonitorNotSupportedCmdError : public MonitorNotSupportedError {
  public:
    MonitorNotSupportedCmdError(const std::string& monitor, const std::string& cmd);
};

/// This QEMU lacks the migration capability.
class MonitorNotSupportedMigCapError : public MonitorNotSupportedError {
  public:
    using MonitorNotSupportedError::MonitorNotSupportedError;
};

/// A human monitor command failed.
class HumanCmdError : public MonitorCmdError {
  public:
    HumanCmdError(std::string cmd, std::string out);
    const std::string& cmd() const noexcept { return cmd_; }
    const std::string& out() const noexcept { return out_; }

  private:
    std::string cmd_;
    std::string out_;
};

/// QMP answered with an error.
class QMPCmdError : public MonitorCmdError {
  public:
    /// \param data the reply's "error" object: class, desc
    QMPCmdError(std::string cmd, const nlohmann::json& args, const nlohmann::json& data);

    const std::string& cmd() const noexcept { return cmd_; }
    /// The command's arguments, null if it had none.
    const nlohmann::json& qmp_args() const noexcept { return *args_; }
    const nlohmann::json& data() const noexcept { return *data_; }
    /// "GenericError", "CommandNotFound", …; empty if QEMU gave none.
    const std::string& error_class() const noexcept { return class_; }
    /// QEMU's sentence.
    const std::string& desc() const noexcept { return desc_; }

  private:
    std::string cmd_;
    std::shared_ptr<const nlohmann::json> args_;  // shared: an exception must copy without throwing
    std::shared_ptr<const nlohmann::json> data_;
    std::string class_;
    std::string desc_;
};

/// An event that a command should cause did not come.
class QMPEventError : public MonitorError {
  public:
    QMPEventError(const std::string& cmd, const std::string& event, const std::string& vm_name,
                  const std::string& monitor_name);
};

}  // namespace vt
