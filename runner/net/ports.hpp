// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Ports, displays and MAC addresses that nobody else uses.
///
/// Asking the kernel for a free port and giving its number to QEMU is a race: another task may ask in
/// between. So a port is leased: a lock file per number, shared by all users of the host, is held as long as
/// the port is used, and the port is bound once to see that it is free. Programs that know nothing of the
/// lock files can still take a port between the probe and QEMU's bind; QEMU's refusal is then seen as such
/// and another port is tried.
#pragma once

#include "runner/support/file_lock.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

namespace vt {

/// A TCP port of 127.0.0.1, ours while the object lives.
class PortLease {
  public:
    /// The first port in [\p first, \p last] that is free and not leased. Throws Error if there is none.
    /// \param locks_dir where the lock files lie (RuntimeDirs::locks() or the host-wide directory)
    static PortLease take(const std::filesystem::path& locks_dir, std::uint16_t first, std::uint16_t last,
                          const std::string& holder);

    std::uint16_t port() const { return port_; }

  private:
    PortLease(std::uint16_t port, FileLock lock) : port_(port), lock_(std::move(lock)) {}
    std::uint16_t port_;
    FileLock lock_;
};

/// An Ethernet address, locally administered, in QEMU's notation ("9a:…").
struct MacAddress {
    std::string text;

    /// A random one under Avocado-VT's prefix 9a; 32 random bits make a clash on one host unlikely beyond
    /// mention.
    static MacAddress random();
    /// Reads "9a:00:11:22:33:44". Throws Error.
    static MacAddress parse(std::string_view text);
    bool operator==(const MacAddress&) const = default;
};

}  // namespace vt
