// SPDX-License-Identifier: GPL-2.0-or-later
// Taking a QEMU down, or leaving it to the job's next test.
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"
#include "runner/support/process_state.hpp"
#include "runner/vm/qemu/qemu_vm_impl.hpp"

#include <algorithm>
#include <csignal>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::qemu {

namespace {

// Avocado-VT waits so long for "quit", in seconds.
constexpr Seconds quit_patience{5};
// What a guest may take to go down after the power button before its shell is asked, too.
constexpr Seconds acpi_patience{15};
constexpr Seconds kill_patience{10};

}  // namespace

bool QemuVm::shut_down_by_acpi(const Deadline& deadline) {
    log::debug("Shutting down VM {} (ACPI power button)", name_);
    monitor().command("system_powerdown", deadline);
    return wait_for_end(running().process->pidfd(), deadline);
}

bool QemuVm::shut_down_by_shell(const Deadline& deadline) {
    const auto command = params_.object_params(name_).get("shutdown_command");
    if (command.empty()) {
        return false;
    }
    log::debug("Shutting down VM {} (shell)", name_);
    const auto patience = std::min(deadline.remaining(), Seconds{VmTimeouts::login});
    const auto session = running().machine.nics.empty() ? serial_login(patience) : login(0, patience);
    session->sendline(command);
    const bool down = wait_for_end(running().process->pidfd(), deadline);
    session->close();
    return down;
}

/// The power button is tried first where it is worth it: it takes effect at once, while a shell needs a login
/// first. A guest that never let anybody in gets one try by the shell, as with Avocado-VT, unless a whole
/// wait has failed already.
void QemuVm::shut_down(Seconds timeout) {
    const auto deadline = Deadline::after(timeout);
    try {
        // One that answers does so at once, and there are others to be asked besides the monitor.
        const auto reply = monitor().command("query-status", deadline.sooner(Deadline::after(quit_patience)));
        if (reply.value("status", "") != "running") {
            log::debug("VM {} does not run its guest, which so cannot shut down", name_);
            return;
        }
        if (running().watch->crash() || running().shut_us_out) {
            return;
        }
        if (running().let_us_in && !running().machine.no_acpi &&
            shut_down_by_acpi(deadline.sooner(Deadline::after(acpi_patience)))) {
            return;
        }
        shut_down_by_shell(deadline);
    } catch (const std::exception& error) {
        if (process_runs()) {
            log::debug("VM {} did not shut down by itself: {}", name_, error.what());
        }
    }
}

void QemuVm::destroy(bool gracefully) {
    close_sessions();
    if (!process_runs()) {
        clean_up();
        return;
    }
    running().watch->expect_end();
    log::debug("Destroying VM {} (pid {})", name_, get_pid());
    if (process_is_stopped(get_pid())) {
        log::warning("VM {}: QEMU (pid {}) {} and can hear nothing: no graceful end", name_, get_pid(),
                     process_state_text(get_pid()));
        kill();
        return;
    }
    if (gracefully) {
        shut_down(Seconds{params_.object_params(name_).get_double("kill_timeout", 60)});
    }
    if (process_runs()) {
        try {
            log::debug("Ending VM {} (monitor)", name_);
            monitor().command("quit", Deadline::after(quit_patience));
        } catch (const std::exception& error) {
            log::debug("quit: {}", error.what());
        }
        wait_for_end(running().process->pidfd(), Deadline::after(quit_patience));
    }
    kill();
}

void QemuVm::kill() {
    if (process_runs()) {
        log::warning("VM {} (pid {}) does not end by itself and is killed", name_, get_pid());
        running().watch->expect_end();
        running().process->signal(SIGKILL);
        if (!wait_for_end(running().process->pidfd(), Deadline::after(kill_patience))) {
            log::error("VM {} (pid {}) does not even end by SIGKILL", name_, get_pid());
        }
    }
    clean_up();
}

/// From now on the journal of this process, which ends, tells of the machine; the guardian's tells of nothing
/// that is left on purpose.
void QemuVm::answer_for_kept() const {
    const auto journal = Journal::open(context_.dirs.journal());
    journal->add({Resource::Kind::directory, instance_dir_.native(), {}, false}).keep();
    journal
        ->add({Resource::Kind::process, fmt::format("{} of VM {}", running().process_name, name_),
               running().process->id(), false})
        .keep();
}

void QemuVm::keep() {
    if (!process_runs()) {
        return;
    }
    if (context_.outlives_job) {
        answer_for_kept();
        log::info(
            "VM {} (pid {}) is left in place, also after the job: its sockets are in {}; "
            "\"avocado-runner-vt reap --all\" takes it down",
            name_, get_pid(), instance_dir_.native());
    } else {
        log::info("VM {} (pid {}) is kept for the next test of this job", name_, get_pid());
    }
    close_sessions();
    running().watch->expect_end();
    instance_entry_ = {};  // the guardian answers for it, with the job's directory
    running().process->keep();
    for (auto& tap : running().taps) {
        tap.entry.abandon();  // a macvtap's line stays open, for the time when the guardian is gone
    }
    forget_ways_in();
    running_.reset();
}

/// They may have to write something yet; what does not end is killed when it is let go of.
void QemuVm::end_companions(Running& run) {
    run.companion_watches.clear();
    for (auto& companion : run.companions) {
        companion.signal(SIGTERM);
    }
    for (const auto& companion : run.companions) {
        wait_for_end(companion.pidfd(), Deadline::after(quit_patience));
    }
}

/// Lets go of an ended QEMU and of all that was made for it.
void QemuVm::clean_up() {
    if (!running_) {
        return;
    }
    close_sessions();
    const auto firmware = firmware_log(instance_dir_);
    std::error_code error;
    if (std::filesystem::exists(firmware, error)) {
        std::filesystem::copy_file(firmware, context_.log_dir / ("seabios-" + name_ + ".log"),
                                   std::filesystem::copy_options::overwrite_existing, error);
    }
    forget_ways_in();
    end_companions(*running_);
    leave_networks(*running_);
    running_.reset();
    std::filesystem::remove_all(instance_dir_, error);
    instance_entry_ = {};
}

}  // namespace vt::qemu
