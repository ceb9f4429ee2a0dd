// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The class behind qemu_vm.hpp; internal. Its members are defined in qemu_vm*.cpp: starting and adopting,
/// logging in, controlling, stopping.
#pragma once

#include "runner/caps/capabilities.hpp"
#include "runner/guest/guest_watch.hpp"
#include "runner/io/log_watch.hpp"
#include "runner/monitor/human.hpp"
#include "runner/monitor/qmp.hpp"
#include "runner/net/address_watch.hpp"
#include "runner/net/tap.hpp"
#include "runner/session/serial.hpp"
#include "runner/session/server_sign.hpp"
#include "runner/session/shell_session.hpp"
#include "runner/session/ssh.hpp"
#include "runner/session/timestamped_log.hpp"
#include "runner/sharing/ports.hpp"
#include "runner/support/journal.hpp"
#include "runner/vm/qemu/build/machine_spec.hpp"
#include "runner/vm/qemu/build/placement.hpp"
#include "runner/vm/qemu/launch.hpp"
#include "runner/vm/qemu/verbs/devices.hpp"
#include "runner/vm/vm.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::qemu {

/// One started QEMU. Members go in reverse order: first what watches, then connections, the process, the
/// directory.
struct Running {
    std::string process_name;  ///< at the guardian
    std::filesystem::path log;
    MachineSpec machine;
    Placement placement;
    Capabilities caps;
    std::shared_ptr<Devices> devices;  ///< what is in it, where
    std::vector<std::string> argv;
    std::vector<PortLease> leases;
    std::vector<Tap> taps;  ///< by NIC, in the order of the cards that have one
    std::map<std::string, std::unique_ptr<AddressWatch>> addresses;  ///< NIC → who looks at its tap
    std::shared_ptr<GuestWatch> watch = std::make_shared<GuestWatch>();
    std::vector<process::GuardedProcess> companions;  ///< leased with the process
    std::optional<process::GuardedProcess> process;
    std::map<std::string, std::unique_ptr<QmpMonitor>> qmp;
    std::map<std::string, std::unique_ptr<HumanMonitor>> human;
    std::map<std::string, std::shared_ptr<SerialConsole>> consoles;
    std::unique_ptr<EndWatch> end_watch;
    std::vector<std::unique_ptr<EndWatch>> companion_watches;
    std::unique_ptr<LogWatch> log_watch;  ///< over what QEMU prints
    std::string main_monitor;
    bool let_us_in = false;    ///< somebody logged in since the start
    bool shut_us_out = false;  ///< a wait for a login has failed
    /// Somebody logged in since the guest last started: it is there, and its server needs no watching.
    std::shared_ptr<std::atomic<bool>> answers = std::make_shared<std::atomic<bool>>(false);

    Running() = default;
    ~Running() {
        if (devices) {
            devices->detach();  // a test may hold it for longer
        }
    }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
};

class QemuVm final : public Vm {
  public:
    QemuVm(std::string name, const Params& params, VmContext context);
    ~QemuVm() override;

    const std::string& name() const override { return name_; }
    Params& params() override { return params_; }
    const std::string& instance() const override { return instance_; }
    const std::filesystem::path& instance_dir() const override { return instance_dir_; }

    void create(const Deadline& deadline) override;
    using Vm::create;
    bool is_alive() override;
    bool is_dead() override;
    void verify_alive() override;
    void verify_kernel_crash() override;
    std::optional<std::string> fate() override;
    std::string status() override;
    void verify_status(const std::string& wanted) override;

    std::shared_ptr<ShellSession> login(std::size_t nic, std::optional<Seconds> timeout) override;
    std::shared_ptr<ShellSession> wait_for_login(std::size_t nic, std::optional<Seconds> timeout) override;
    std::shared_ptr<ShellSession> serial_login(std::optional<Seconds> timeout) override;
    std::shared_ptr<ShellSession> wait_for_serial_login(std::optional<Seconds> timeout) override;
    void copy_files_to(const std::filesystem::path& host, const std::string& guest, std::size_t nic,
                       std::optional<Seconds> timeout) override;
    void copy_files_from(const std::string& guest, const std::filesystem::path& host, std::size_t nic,
                         std::optional<Seconds> timeout) override;
    void close_sessions() override;

    QmpMonitor& monitor() override;
    std::vector<std::string> monitor_names() const override;
    bool is_qmp(const std::string& name) const override;
    QmpMonitor& qmp_monitor(const std::string& name) override;
    HumanMonitor& human_monitor(const std::string& name) override;
    std::shared_ptr<Interrupt> interrupt() override;

    void screendump(const std::filesystem::path& file) override;
    void pause() override;
    void resume() override;
    std::shared_ptr<ShellSession> reboot(std::shared_ptr<ShellSession> session, const std::string& method,
                                         std::size_t nic, std::optional<Seconds> timeout) override;
    void system_reset() override;
    void send_key(const std::string& keys) override;
    bool wait_for_shutdown(Seconds timeout) override;

    void destroy(bool gracefully) override;
    void kill() override;
    void keep() override;

    pid_t get_pid() const override;
    std::string get_address(std::size_t nic) override;
    std::uint16_t get_port(std::uint16_t port, std::size_t nic) override;
    std::string get_mac_address(std::size_t nic) override;
    std::optional<std::uint16_t> vnc_port() override;
    std::filesystem::path serial_log(const std::string& serial) const override;
    std::filesystem::path process_log() const override;
    std::string command_line() const override;
    bool needs_restart(const Params& params) override;
    std::string state() const override;
    std::shared_ptr<Devices> devices() { return running().devices; }

    /// Leases and connects the machine that \p state tells of; false if it is gone.
    bool adopt(const nlohmann::json& state);

  private:
    Running& running();
    const Running& running() const;
    bool process_runs() const;
    /// Throws the error that fits if the guest or QEMU is gone.
    void throw_if_gone();
    /// How QEMU ended, with the end of what it printed.
    std::string death_text() const;

    // Starting (qemu_vm_start.cpp).
    void require_images(const MachineSpec& machine) const;
    void make_instance();
    void answer_for_instance();
    std::unique_ptr<Running> prepare(const Deadline& deadline);
    void place_network(Running& run) const;
    bool place_tap(Running& run, const Nic& nic) const;
    void watch_addresses(Running& run);
    void leave_networks(Running& run) const;
    void place_overlays(Running& run) const;
    void launch(Running& run, const Deadline& deadline);
    void connect(Running& run, const Deadline& deadline);
    void connect_consoles(Running& run, const Deadline& deadline);
    void watch(Running& run);
    void tell_ways_in(const Running& run);
    void forget_ways_in();
    std::function<std::string()> shell_way(const Running& run) const;
    bool start_once(const Deadline& deadline, bool last_try);
    [[noreturn]] void throw_create_error(const std::string& what, const std::string& output) const;
    MonitorAddress monitor_address(const Running& run, const std::string& name) const;
    std::filesystem::path serial_log_path(const std::string& serial) const;

    // Logging in (qemu_vm_login.cpp).
    Params nic_params(std::size_t nic) const;
    SshTarget ssh_target(std::size_t nic, const char* port_key);
    std::shared_ptr<ServerSign> server_sign(std::size_t nic, std::uint16_t port);
    ShellOptions shell_options(const Params& view) const;
    std::shared_ptr<ShellSession> adopt_session(std::unique_ptr<ShellSession> session);
    std::string serial_tail(std::size_t lines) const;
    std::shared_ptr<ShellSession> log_in(std::size_t nic, Seconds timeout, bool wait);

    // Stopping (qemu_vm_stop.cpp).
    bool shut_down_by_acpi(const Deadline& deadline);
    bool shut_down_by_shell(const Deadline& deadline);
    void shut_down(Seconds timeout);
    void answer_for_kept() const;
    static void end_companions(Running& run);
    void clean_up();

    std::string name_;
    Params params_;
    VmContext context_;
    std::string instance_;
    std::filesystem::path instance_dir_;
    JournalEntry instance_entry_;
    std::map<std::string, std::string> macs_;  ///< stay over restarts
    std::vector<MacLease> mac_leases_;         ///< of those that we chose
    std::string uuid_;
    std::unique_ptr<Running> running_;
    std::vector<std::weak_ptr<ShellSession>> sessions_;
};

}  // namespace vt::qemu
