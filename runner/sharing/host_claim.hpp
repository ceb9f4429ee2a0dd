// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a test takes of the host while it runs: memory, and the host as it is or for itself alone.
///
/// Tests of all jobs and all users of a host stand on one roll (roll.hpp) in a directory that all can write
/// (RuntimeDirs::host()). Each waits for those before it that are in its way, and for nobody else: one that
/// changes the host waits for all, and all wait for it; one whose machines would not fit into the memory
/// beside those before it waits until they do. Nobody overtakes, so nobody starves.
///
/// How much memory there is for all is what was available when the first of those on the roll came: later on
/// nobody can tell which of what is used by then is theirs. A test whose machines do not fit even alone runs
/// when it is alone, with a warning: it may know better.
#pragma once

#include "runner/sharing/host_memory.hpp"
#include "runner/sharing/roll.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace vt {

/// What is wanted.
struct HostWish {
    std::uint64_t memory = 0;  ///< MiB
    bool exclusive = false;    ///< nobody else may use the host meanwhile
    std::string holder;        ///< for others' messages: "1-uptime (pid 12)"
    Seconds patience{10};      ///< after which another user who is waited for is named with his process
};

/// The beginning of the names of claims' files in RuntimeDirs::host().
inline constexpr const char* claim_prefix = "avocado-vt-claim-";

/// A place on the host's roll, held while the object lives.
class HostClaim {
  public:
    /// Waits until \p wish is granted, logging for whom. Throws SystemError, Error if \p dir cannot be used.
    /// \param available asked for what memory there is
    static HostClaim take(
        const std::filesystem::path& dir, const HostWish& wish,
        const std::function<MemoryPools()>& available = [] { return available_memory(); });

    /// The claim's file: it holds while anybody has it open and this object has not gone.
    int descriptor() const { return entry_.descriptor(); }

  private:
    explicit HostClaim(RollEntry entry) : entry_(std::move(entry)) {}
    RollEntry entry_;
};

}  // namespace vt
