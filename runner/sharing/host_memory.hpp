// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How much memory virtual machines may still take before the host swaps.
///
/// There are up to two limits: what the kernel calls available (MemAvailable of /proc/meminfo, proc(5)), and
/// what is left below the limits of the control groups that this process is in (memory.max of version 2,
/// memory.limit_in_bytes of version 1), where the cache of files counts as free. Each is a pool by a name, so
/// that tasks in one control group can tell that they share it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace vt {

/// MiB that are available, by pool: "host", and the limiting control group's path if there is one.
using MemoryPools = std::map<std::string, std::uint64_t>;

/// What is available now. The environment variable AVOCADO_VT_MEMORY (MiB) stands in for the host's pool. A
/// figure that the kernel does not give is left out.
/// \param root in place of "/", for tests
MemoryPools available_memory(const std::filesystem::path& root = "/");

}  // namespace vt
