// SPDX-License-Identifier: GPL-2.0-or-later
// State, monitors and control of a running QEMU.
#include "runner/guest/picture.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

constexpr Seconds command_patience{60};  ///< for an answer of the monitor, as Avocado-VT waits
constexpr Seconds last_moment{1};        ///< from a closed socket to the end of its process

}  // namespace

QemuVm::QemuVm(std::string name, const Params& params, VmContext context)
    : name_(std::move(name)), params_(params), context_(std::move(context)) {}

QemuVm::~QemuVm() {
    try {
        close_sessions();
        if (process_runs()) {
            running().watch->expect_end();
        }
        clean_up();
    } catch (const std::exception& error) {
        log::warning("VM {}: {}", name_, error.what());
    }
}

Running& QemuVm::running() {
    if (!running_) {
        throw VMDeadError(fmt::format("VM {} is not running", name_));
    }
    return *running_;
}

const Running& QemuVm::running() const {
    return const_cast<QemuVm*>(this)->running();
}

bool QemuVm::process_runs() const {
    return running_ && running_->process && running_->process->running();
}

bool QemuVm::is_dead() {
    return !process_runs();
}

bool QemuVm::is_alive() {
    return process_runs() && running().qmp.at(running().main_monitor)->is_open();
}

void QemuVm::throw_if_gone() {
    Running& run = running();
    const auto reason = run.watch->interrupt()->reason();
    // A lost monitor is mostly the first sign of an end that comes right after.
    if (!process_runs() ||
        (reason && !run.watch->crash() && wait_for_end(run.process->pidfd(), Deadline::after(last_moment)))) {
        throw VMDeadError(death_text());
    }
    verify_kernel_crash();
    if (reason) {
        throw VMDeadError(fmt::format("VM {}: {}", name_, *reason));
    }
}

void QemuVm::verify_kernel_crash() {
    if (!running_) {
        return;
    }
    if (const auto crash = running().watch->crash()) {
        throw VMDeadKernelCrashError(fmt::format("VM {}: the guest's kernel crashed: {}", name_, *crash));
    }
}

std::optional<std::string> QemuVm::fate() {
    if (!running_ || running().watch->end_expected()) {
        return std::nullopt;
    }
    if (const auto crash = running().watch->crash(); crash && process_runs()) {
        return fmt::format("VM {}: the guest's kernel crashed: {}", name_, *crash);
    }
    // Its sessions may break a moment before it has quite ended.
    if (!process_runs() || (running().watch->interrupt()->reason() &&
                            wait_for_end(running().process->pidfd(), Deadline::after(Seconds{1})))) {
        return death_text();
    }
    if (const auto end = running().watch->companion_end()) {
        return fmt::format("VM {}: {}", name_, *end);
    }
    if (const auto error = running().watch->disk_error()) {
        return fmt::format("VM {}: QEMU stopped the guest: {}", name_, *error);
    }
    return std::nullopt;
}

void QemuVm::verify_alive() {
    throw_if_gone();
    try {
        monitor().verify_responsive(Deadline::after(command_patience));
    } catch (const MonitorSocketError&) {
        // A process closes its sockets a moment before it has ended.
        wait_for_end(running().process->pidfd(), Deadline::after(last_moment));
        throw_if_gone();
        throw;
    }
}

std::string QemuVm::status() {
    const auto reply = monitor().command("query-status", Deadline::after(command_patience));
    return reply.value("status", "");
}

void QemuVm::verify_status(const std::string& wanted) {
    if (const auto found = status(); found != wanted) {
        throw VMStatusError(fmt::format("VM {} is \"{}\", not \"{}\"", name_, found, wanted));
    }
}

QmpMonitor& QemuVm::monitor() {
    return qmp_monitor(running().main_monitor);
}

std::vector<std::string> QemuVm::monitor_names() const {
    std::vector<std::string> names;
    if (running_) {
        for (const auto& monitor : running().machine.monitors) {
            names.push_back(monitor.name);
        }
    }
    return names;
}

bool QemuVm::is_qmp(const std::string& name) const {
    for (const auto& monitor : running().machine.monitors) {
        if (monitor.name == name) {
            return monitor.qmp;
        }
    }
    throw VMError(
        fmt::format("VM {} has no monitor {}; it has {}", name_, name, join(monitor_names(), ", ")));
}

QmpMonitor& QemuVm::qmp_monitor(const std::string& name) {
    Running& run = running();
    if (!is_qmp(name)) {
        throw VMError(fmt::format("monitor {} of VM {} is a human one", name, name_));
    }
    auto found = run.qmp.find(name);
    if (found == run.qmp.end()) {
        auto made = QmpMonitor::connect(*context_.loop, monitor_address(run, name),
                                        Deadline::after(command_patience));
        found = run.qmp.emplace(name, std::move(made)).first;
        tell_ways_in(run);
    }
    return *found->second;
}

HumanMonitor& QemuVm::human_monitor(const std::string& name) {
    Running& run = running();
    if (is_qmp(name)) {
        throw VMError(fmt::format("monitor {} of VM {} speaks QMP", name, name_));
    }
    auto found = run.human.find(name);
    if (found == run.human.end()) {
        auto made = HumanMonitor::connect(*context_.loop, monitor_address(run, name),
                                          Deadline::after(command_patience));
        found = run.human.emplace(name, std::move(made)).first;
        tell_ways_in(run);
    }
    return *found->second;
}

std::shared_ptr<Interrupt> QemuVm::interrupt() {
    return running().watch->interrupt();
}

void QemuVm::screendump(const std::filesystem::path& file) {
    const auto deadline = Deadline::after(command_patience);
    const auto absolute = std::filesystem::absolute(file);
    if (file.extension() != ".png") {
        monitor().command("screendump", {{"filename", absolute.native()}}, deadline);
        return;
    }
    try {
        monitor().command("screendump", {{"filename", absolute.native()}, {"format", "png"}}, deadline);
    } catch (const QMPCmdError& refused) {
        // QEMU before 7.1, or built without libpng, writes PPM only.
        if (refused.desc().find("format") == std::string::npos &&
            refused.desc().find("png") == std::string::npos &&
            refused.desc().find("PNG") == std::string::npos) {
            throw;
        }
        const auto raw = instance_dir_ / "screen.ppm";
        monitor().command("screendump", {{"filename", raw.native()}}, deadline);
        ppm_to_png(raw, absolute);
        std::error_code error;
        std::filesystem::remove(raw, error);
    }
}

void QemuVm::pause() {
    monitor().command("stop", Deadline::after(command_patience));
    verify_status("paused");
}

void QemuVm::resume() {
    monitor().command("cont", Deadline::after(command_patience));
    verify_status("running");
}

void QemuVm::system_reset() {
    running().watch->forget_crash();
    monitor().command("system_reset", Deadline::after(command_patience));
    *running().answers = false;
}

void QemuVm::send_key(const std::string& keys) {
    monitor().human_monitor_cmd("sendkey " + keys, Deadline::after(command_patience));
}

std::shared_ptr<ShellSession> QemuVm::reboot(std::shared_ptr<ShellSession> session, const std::string& method,
                                             std::size_t nic, std::optional<Seconds> timeout) {
    const auto deadline = Deadline::after(timeout.value_or(Seconds{VmTimeouts::reboot}));
    if (method != "shell" && method != "system_reset") {
        throw VMRebootError(
            fmt::format("reboot method \"{}\" is not known; known are shell and system_reset", method));
    }
    if (method == "shell" && !session) {
        session = wait_for_login(nic, deadline.remaining());
    }
    auto& control = monitor();
    control.clear_event("RESET");
    if (method == "shell") {
        const auto command = params_.object_params(name_).get("reboot_command");
        if (command.empty()) {
            throw VMRebootError(fmt::format("VM {} has no reboot_command", name_));
        }
        log::debug("Rebooting VM {} (shell)", name_);
        session->sendline(command);
    } else {
        system_reset();
    }
    try {
        if (!control.wait_event("RESET", deadline)) {
            throw VMRebootError(
                fmt::format("VM {} did not go down within {:g} s", name_, deadline.total().count()));
        }
    } catch (const MonitorSocketError&) {
        throw_if_gone();
        throw;
    }
    *running().answers = false;
    if (session) {
        session->close();
    }
    control.clear_event("RESET");
    return wait_for_login(nic, deadline.remaining());
}

bool QemuVm::wait_for_shutdown(Seconds timeout) {
    if (!process_runs()) {
        return true;
    }
    const auto deadline = Deadline::after(timeout);
    if (running().machine.no_shutdown) {
        return monitor().wait_event("SHUTDOWN", deadline).has_value();
    }
    running().watch->expect_end();
    return wait_for_end(running().process->pidfd(), deadline);
}

pid_t QemuVm::get_pid() const {
    return running().process->pid();
}

std::uint16_t QemuVm::get_port(std::uint16_t port, std::size_t nic) {
    nic_params(nic);
    const Running& run = running();
    const auto& card = run.machine.nics[nic];
    if (run.placement.taps.contains(card.name)) {
        return port;
    }
    for (const auto& [redir, guest_port] : card.redirs) {
        const auto ports = run.placement.forwarded.find(card.name);
        if (guest_port == port && ports != run.placement.forwarded.end()) {
            return ports->second.at(redir);
        }
    }
    throw VMPortNotRedirectedError(
        fmt::format("port {} of VM {} is not forwarded on NIC {}; add a name to redirs and its guest_port",
                    port, name_, card.name));
}

std::string QemuVm::get_mac_address(std::size_t nic) {
    nic_params(nic);
    const auto& card = running().machine.nics[nic];
    return card.mac.empty() ? macs_.at(card.name) : card.mac;
}

std::optional<std::uint16_t> QemuVm::vnc_port() {
    if (!process_runs() || running().machine.display.kind != Display::Kind::vnc) {
        return std::nullopt;
    }
    const auto reply = monitor().command("query-vnc", Deadline::after(command_patience));
    const auto service = reply.value("service", "");
    if (service.empty() || service.find_first_not_of("0123456789") != std::string::npos ||
        service.size() > 5) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(std::stoul(service));
}

std::filesystem::path QemuVm::serial_log(const std::string& serial) const {
    if (!running_ || running().machine.serials.empty()) {
        const auto names = params_.object_params(name_).objects("serials");
        return names.empty() ? std::filesystem::path()
                             : serial_log_path(serial.empty() ? names.front() : serial);
    }
    return serial_log_path(serial.empty() ? running().machine.serials.front().name : serial);
}

std::filesystem::path QemuVm::process_log() const {
    return running_ ? running().log : context_.log_dir / ("qemu-" + name_ + ".log");
}

std::string QemuVm::command_line() const {
    return shell_quote(running().argv);
}

}  // namespace vt::qemu
