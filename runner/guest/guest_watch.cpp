// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest/guest_watch.hpp"

#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

namespace vt::qemu {

namespace {

constexpr std::size_t trace_limit = 16384;  ///< bytes of a kernel's report that are kept

bool begins_report(std::string_view line) {
    return line.find("BUG: ") != std::string_view::npos ||
           line.find("kernel BUG at ") != std::string_view::npos ||
           line.find("general protection fault:") != std::string_view::npos;
}

}  // namespace

void GuestWatch::serial_line(std::string_view line) {
    // The same words stand in the line that ends the panic's report.
    const auto panic = line.find("---[ end") == std::string_view::npos
                           ? line.find("Kernel panic - not syncing")
                           : std::string_view::npos;
    std::string message;
    {
        const std::lock_guard guard(mutex_);
        if (!trace_.empty() || begins_report(line)) {
            if (trace_.size() < trace_limit) {
                trace_.append(line).append("\n");
            }
            if (line.find("---[ end trace") != std::string_view::npos) {
                crash_ = std::exchange(trace_, {});
            }
        }
        if (panic == std::string_view::npos) {
            return;
        }
        message = std::string(trim(line.substr(panic)));
        if (!crash_) {
            crash_ = message;
        }
    }
    log::warning("The guest's kernel panicked: {}", message);
    interrupt_->raise("the guest's kernel panicked: " + message);
}

void GuestWatch::guest_panicked(const std::string& details) {
    {
        const std::lock_guard guard(mutex_);
        if (!crash_) {
            crash_ =
                "the guest's panic device reported a panic" + (details.empty() ? "" : " (" + details + ")");
        }
    }
    log::warning("QEMU reports that the guest panicked");
    interrupt_->raise("the guest panicked");
}

void GuestWatch::stopped_by_disk(const std::string& what) {
    {
        // Each request that fails comes with an event of its own; one line tells it all.
        const std::lock_guard guard(mutex_);
        if (std::exchange(disk_error_, what) == what) {
            return;
        }
    }
    log::warning("QEMU stopped the guest: {}", what);
}

void GuestWatch::resumed() {
    const std::lock_guard guard(mutex_);
    disk_error_.reset();
}

std::optional<std::string> GuestWatch::disk_error() const {
    const std::lock_guard guard(mutex_);
    return disk_error_;
}

void GuestWatch::process_ended() {
    interrupt_->raise("QEMU ended");
    if (!end_expected()) {
        log::debug("QEMU has ended");
    }
}

void GuestWatch::monitor_lost(const std::string& reason) {
    interrupt_->raise("QEMU's monitor is lost: " + reason);
}

void GuestWatch::companion_ended(const std::string& what) {
    {
        const std::lock_guard guard(mutex_);
        if (end_expected_) {
            return;
        }
        companion_end_ = companion_end_.value_or(what);
    }
    log::warning("{}", what);
    interrupt_->raise(what);
}

std::optional<std::string> GuestWatch::companion_end() const {
    const std::lock_guard guard(mutex_);
    return companion_end_;
}

void GuestWatch::expect_end() {
    const std::lock_guard guard(mutex_);
    end_expected_ = true;
}

void GuestWatch::forget_crash() {
    const std::lock_guard guard(mutex_);
    trace_.clear();
    crash_.reset();
}

std::optional<std::string> GuestWatch::crash() const {
    const std::lock_guard guard(mutex_);
    return crash_;
}

bool GuestWatch::end_expected() const {
    const std::lock_guard guard(mutex_);
    return end_expected_;
}

}  // namespace vt::qemu
