// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A QEMU without a guest, for block tests in C++: nodes, jobs, events, an end by `quit` or by a power cut.
///
/// It is the counterpart of Python's iotests.VM. The machine executes nothing (see qemu_options()); what is
/// tested is QEMU's block layer, through QMP on a connection that QEMU inherits.
#pragma once

#include "runner/harness/block/program.hpp"
#include "runner/harness/block/settings.hpp"
#include "runner/monitor/qmp.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::block {

/// QEMU ended, or could not be started; what() has how, and its last lines.
class MachineError : public Error {
  public:
    using Error::Error;
};

/// A job that failed; what() has the job's own error.
class JobError : public Error {
  public:
    using Error::Error;
};

/// How a job is taken to its end.
struct JobRun {
    bool auto_finalize = true;
    bool auto_dismiss = false;
    bool cancel = false;  ///< when it waits for its end to be allowed
    std::function<void()> before_finalize;
};

/// A running QEMU; killed when the object goes. Calls may come from several threads.
class Machine {
  public:
    /// Starts QEMU with \p arguments behind its own options. \p dir: a private directory for its output and
    /// the QMP log. Throws MachineError, process::NotFoundError.
    Machine(IoLoop& loop, const Settings& settings, const Facts& facts, const std::filesystem::path& dir,
            const std::vector<std::string>& arguments, const Deadline& deadline);

    /// Runs a QMP command and returns its "return". Throws QMPCmdError, MachineError if QEMU ends.
    nlohmann::json command(const std::string& name, const nlohmann::json& arguments,
                           const Deadline& deadline);
    /// Takes out the first event \p name whose "data" contains \p match (null: any), with all that it
    /// contains. Throws TimeoutError, MachineError.
    QmpEvent await_event(const std::string& name, const nlohmann::json& match, const Deadline& deadline);

    /// Waits until the job \p id is ready (a mirror or commit that follows its source). Throws JobError if it
    /// ends before, TimeoutError, MachineError.
    void await_ready(const std::string& id, const Deadline& deadline);
    /// Takes the job \p id to its end: completes one that is ready, finalizes, dismisses. Throws JobError
    /// with the job's error, TimeoutError, MachineError.
    void run_job(const std::string& id, const JobRun& how, const Deadline& deadline);

    /// Ends QEMU by `quit`. Throws MachineError if it does not end well.
    void quit(const Deadline& deadline);
    /// SIGKILL: what QEMU has not flushed to the host is what a power cut leaves. Returns when it is gone.
    void power_cut();
    bool running();
    pid_t pid() const { return program_->pid(); }

  private:
    [[noreturn]] void ended(const std::string& what);
    /// The next state of the job \p id.
    std::string next_state(const std::string& id, const Deadline& deadline);
    std::string error_of(const std::string& id, const Deadline& deadline);

    std::filesystem::path output_;
    std::unique_ptr<Program> program_;
    std::unique_ptr<QmpMonitor> monitor_;
};

/// Whether \p whole contains \p part: every member of its objects, with values that contain those, else
/// equality.
bool contains(const nlohmann::json& whole, const nlohmann::json& part);

}  // namespace vt::block
