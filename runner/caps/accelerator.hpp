// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Which accelerator really works here.
///
/// /dev/kvm may be there and still not run a guest (a nested or emulated one that stops, or crawls, where
/// real code begins). So the probe runs a 512-byte boot sector that enters 64-bit mode, counts for a while
/// and writes to QEMU's debug-exit port, under a deadline; only a guest that got there proves KVM. The answer
/// is cached with its reason until the QEMU binary, the kernel boot or the permissions of /dev/kvm change.
#pragma once

#include "runner/support/deadline.hpp"

#include <filesystem>
#include <string>

namespace vt {

/// An accelerator and why it was chosen.
struct Accelerator {
    enum class Kind { kvm, tcg };
    Kind kind = Kind::tcg;
    std::string reason;  ///< one sentence
    bool cached = false;

    bool kvm() const { return kind == Kind::kvm; }
    /// As QEMU's -accel takes it.
    const char* name() const { return kvm() ? "kvm" : "tcg"; }
};

/// Tries KVM with \p qemu (at most \p limit) or reads the cached answer from \p cache_dir. Never throws for a
/// KVM that does not work; throws process::NotFoundError if \p qemu is missing.
Accelerator probe_accelerator(const std::filesystem::path& qemu, const std::filesystem::path& cache_dir,
                              Seconds limit = Seconds{3});

}  // namespace vt
