// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A virtual machine as a test sees it, whatever runs it.
///
/// The names are Avocado-VT's, since the Python modules hand them on. Waits end at once when the machine's
/// process, its guest's kernel or its monitor is gone: the error is then the machine's (VMDeadError and so
/// on), not a time-out. What is ugly: the parameters of a VM can be changed by a test at any time
/// (vm.params["…"] = …) and take effect with the next create().
#pragma once

#include "cfg/params.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/process/guardian.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/vm/errors.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt {

class GuestAccess;
class HumanMonitor;
class Interrupt;
class QmpMonitor;
class ShellSession;

/// What every VM of a task shares.
struct VmContext {
    std::shared_ptr<process::Guardian> guardian;  ///< starts and keeps QEMU
    std::shared_ptr<IoLoop> loop;                 ///< reads monitors and consoles
    RuntimeDirs dirs;
    bool outlives_job = false;       ///< what is kept is not only the job's: reap spares it
    std::filesystem::path job_dir;   ///< instance directories are made below it
    std::filesystem::path data_dir;  ///< relative image names start here
    std::filesystem::path log_dir;   ///< the test's log directory (serial logs, monitor logs, session logs)
    std::shared_ptr<GuestAccess> access;  ///< where running machines say how to get in; may be none
    std::string holder;                   ///< who holds locks, for others' messages: "1-uptime (pid 12)"
};

/// Seconds that waits take when neither caller nor parameters say so (Avocado-VT's).
struct VmTimeouts {
    static constexpr double login = 10;
    static constexpr double login_wait = 240;
    static constexpr double copy_files = 600;
    static constexpr double reboot = 240;
    static constexpr double create = 90;
};

/// One VM. Not thread-safe; its background readers are.
class Vm {
  public:
    virtual ~Vm() = default;

    virtual const std::string& name() const = 0;
    /// The parameters as this VM sees them; changes take effect with the next create().
    virtual Params& params() = 0;
    /// Identity of this start, random; part of log file names.
    virtual const std::string& instance() const = 0;
    /// Directory of sockets, QEMU's log, overlays.
    virtual const std::filesystem::path& instance_dir() const = 0;

    /// Starts it; a running one is destroyed first. Throws VMCreateError with QEMU's words,
    /// VMImageMissingError, …
    virtual void create(const Deadline& deadline) = 0;
    void create() { create(Deadline::after(Seconds{VmTimeouts::create})); }
    /// True while its process runs and its monitor's connection stands.
    virtual bool is_alive() = 0;
    virtual bool is_dead() = 0;
    /// Throws VMDeadError, VMDeadKernelCrashError, a monitor's error.
    virtual void verify_alive() = 0;
    /// Throws VMDeadKernelCrashError if the serial log or the panic device told of one.
    virtual void verify_kernel_crash() = 0;
    /// How it ended or what its guest's kernel said, if it came to an end that nobody wanted.
    virtual std::optional<std::string> fate() = 0;
    /// "running", "paused", … as QMP's query-status.
    virtual std::string status() = 0;
    virtual void verify_status(const std::string& wanted) = 0;
    bool is_paused() { return !is_dead() && status() == "paused"; }

    /// One try to log in over the network. Throws LoginError and its children, VMDeadError.
    virtual std::shared_ptr<ShellSession> login(std::size_t nic = 0, std::optional<Seconds> timeout = {}) = 0;
    /// Waits until the guest lets us in. \p timeout defaults to `login_timeout`. Throws LoginTimeoutError
    /// with what was last seen on the serial console; a wrong password, QEMU's end and a guest's panic at
    /// once.
    virtual std::shared_ptr<ShellSession> wait_for_login(std::size_t nic = 0,
                                                         std::optional<Seconds> timeout = {}) = 0;
    virtual std::shared_ptr<ShellSession> serial_login(std::optional<Seconds> timeout = {}) = 0;
    virtual std::shared_ptr<ShellSession> wait_for_serial_login(std::optional<Seconds> timeout = {}) = 0;
    /// Copies files or directories between host and guest.
    virtual void copy_files_to(const std::filesystem::path& host, const std::string& guest,
                               std::size_t nic = 0, std::optional<Seconds> timeout = {}) = 0;
    virtual void copy_files_from(const std::string& guest, const std::filesystem::path& host,
                                 std::size_t nic = 0, std::optional<Seconds> timeout = {}) = 0;

    /// The QMP monitor that the runner itself uses: the first of `monitors` that is one. Throws VMDeadError
    /// if the machine does not run.
    virtual QmpMonitor& monitor() = 0;
    /// The names of its monitors, in the order of `monitors`; whether one speaks QMP; and the monitor itself,
    /// connected when first asked for. Throw VMError for an unknown name or the other kind.
    virtual std::vector<std::string> monitor_names() const = 0;
    virtual bool is_qmp(const std::string& name) const = 0;
    virtual QmpMonitor& qmp_monitor(const std::string& name) = 0;
    virtual HumanMonitor& human_monitor(const std::string& name) = 0;
    /// Raised when the machine is gone or its guest has panicked: give it to whatever waits on the guest's
    /// account.
    virtual std::shared_ptr<Interrupt> interrupt() = 0;

    /// Writes the screen to \p file: PNG, or PPM where the name ends so.
    virtual void screendump(const std::filesystem::path& file) = 0;
    virtual void pause() = 0;
    virtual void resume() = 0;
    /// Reboots and logs in again: by the guest's shell (`reboot_command`; logs in first without a \p
    /// session), or by a reset if \p method is "system_reset". \p session is closed. Throws VMRebootError,
    /// what wait_for_login() throws.
    virtual std::shared_ptr<ShellSession> reboot(std::shared_ptr<ShellSession> session = {},
                                                 const std::string& method = "shell", std::size_t nic = 0,
                                                 std::optional<Seconds> timeout = {}) = 0;
    virtual void system_reset() = 0;
    virtual void send_key(const std::string& keys) = 0;
    /// Waits for the machine to end by itself; false when \p timeout passed first.
    virtual bool wait_for_shutdown(Seconds timeout) = 0;

    /// Takes it down: shut down from inside if \p gracefully, then QMP quit, then SIGKILL. Never throws for a
    /// guest that resists; returns when the process is gone.
    virtual void destroy(bool gracefully = true) = 0;
    /// Kills it at once.
    virtual void kill() = 0;
    /// Lets go of a running machine: it stays for the job's next task. This object is then dead.
    virtual void keep() = 0;
    /// Closes every session that login() and its like opened and somebody still holds.
    virtual void close_sessions() = 0;

    virtual pid_t get_pid() const = 0;
    /// Host address that reaches the NIC ("127.0.0.1" for user networking). Throws VMAddressError.
    virtual std::string get_address(std::size_t nic = 0) = 0;
    /// Host port that reaches \p port of the guest. Throws VMPortNotRedirectedError.
    virtual std::uint16_t get_port(std::uint16_t port, std::size_t nic = 0) = 0;
    virtual std::string get_mac_address(std::size_t nic = 0) = 0;
    virtual std::optional<std::uint16_t> vnc_port() = 0;
    /// Log of a serial port; the first one if \p serial is empty. Empty if there is none.
    virtual std::filesystem::path serial_log(const std::string& serial = {}) const = 0;
    /// QEMU's standard output and error.
    virtual std::filesystem::path process_log() const = 0;
    /// The command line of the running machine, as a person would paste it.
    virtual std::string command_line() const = 0;

    /// True if create() would now start something else than what runs (the command lines differ).
    virtual bool needs_restart(const Params& params) = 0;
    /// What the env file must hold so that a later task can adopt the machine (JSON text).
    virtual std::string state() const = 0;
};

}  // namespace vt
