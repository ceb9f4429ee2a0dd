// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Starting what a machine needs beside QEMU: its companions, and the files that are its firmware's and its
/// TPM's memory.
///
/// A companion is leased together with its QEMU: the guardian ends both, or keeps both. What firmware and TPM
/// remember belongs to the VM by its name and lies in the data directory, so that a guest installed by one
/// test boots in the next; a VM whose system disk is a throw-away overlay remembers nothing, either.
#pragma once

#include "runner/process/guardian.hpp"
#include "runner/sharing/ports.hpp"
#include "runner/support/deadline.hpp"
#include "runner/vm/qemu/build/companion.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::qemu {

/// Puts the files of firmware and TPMs where they are to lie, and their paths into \p placement (overlays are
/// known by then). Throws VMImageMissingError, SystemError.
void place_memory(const MachineSpec& spec, Placement& placement, const std::filesystem::path& data_dir);

/// Gives each vsock of the machine an address that no guest of this host has; \p leases keeps it from other
/// starts. Throws VMDeviceError.
void place_vsocks(const MachineSpec& spec, Placement& placement, std::vector<PortLease>& leases);

/// Starts all of \p companions for the process that will be called \p process at the guardian; their output
/// goes to logs in \p log_dir. Returns when each serves. Throws VMCreateError, process::NotFoundError,
/// TimeoutError; then none runs.
std::vector<process::GuardedProcess> start_companions(process::Guardian& guardian, const std::string& process,
                                                      const std::vector<Companion>& companions,
                                                      const std::filesystem::path& log_dir,
                                                      const std::string& vm, const Deadline& deadline);

}  // namespace vt::qemu
