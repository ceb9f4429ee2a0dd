// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What is known of a running guest's fate: QEMU's end, a panic, the monitor's loss.
///
/// Fed from the loop's thread by whoever sees something, asked from the test's. Shared, since late handlers
/// may still hold it when the VM is gone.
#pragma once

#include "runner/io/interrupt.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace vt::qemu {

/// Thread-safe.
class GuestWatch {
  public:
    GuestWatch() : interrupt_(std::make_shared<Interrupt>()) {}

    /// A line of a serial console: kernel crashes are recorded, a panic also ends all waits.
    void serial_line(std::string_view line);
    /// The panic device spoke (QMP's GUEST_PANICKED).
    void guest_panicked(const std::string& details);
    /// QEMU stopped the guest since it could not read or write a disk (QMP's BLOCK_IO_ERROR); it may go on
    /// later.
    void stopped_by_disk(const std::string& what);
    void resumed();
    void process_ended();
    void monitor_lost(const std::string& reason);
    /// A process that the machine needs beside QEMU is gone: \p what says which.
    void companion_ended(const std::string& what);
    /// From now on ends are wanted and not logged as surprises.
    void expect_end();
    /// The guest starts anew (a reset): an earlier crash is forgotten.
    void forget_crash();

    /// What the kernel said when it crashed, if it did.
    std::optional<std::string> crash() const;
    /// Why QEMU stopped the guest, while it is so.
    std::optional<std::string> disk_error() const;
    /// What companion_ended() said, unless the end was expected.
    std::optional<std::string> companion_end() const;
    bool end_expected() const;
    const std::shared_ptr<Interrupt>& interrupt() const { return interrupt_; }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<Interrupt> interrupt_;
    std::optional<std::string> crash_;
    std::optional<std::string> disk_error_;
    std::optional<std::string> companion_end_;
    std::string trace_;  ///< of a kernel bug whose report is being printed
    bool end_expected_ = false;
};

}  // namespace vt::qemu
