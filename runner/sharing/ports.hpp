// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Ports, displays and MAC addresses that nobody else uses.
///
/// Asking the kernel for a free port and giving its number to QEMU is a race: another task may ask in
/// between. So a port is leased: while it is used, an abstract Unix socket named by its number is bound. Such
/// names are the kernel's, shared by all users of a network namespace as the ports themselves are, exclusive,
/// gone with the process that bound them, and no file that somebody could lay a trap with. The port is bound
/// once, too, to see that it is free. Programs that know nothing of leases can still take a port between the
/// look and QEMU's bind; QEMU's refusal is then seen as such and another port is tried. Who leases all ports
/// to keep others from working could as well bind them.
#pragma once

#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <string>

namespace vt {

/// A TCP port of 127.0.0.1, ours while the object lives.
class PortLease {
  public:
    /// A port in [\p first, \p last] that is free and not leased. Throws Error if there is none.
    static PortLease take(std::uint16_t first, std::uint16_t last);

    std::uint16_t port() const { return port_; }

  private:
    PortLease(std::uint16_t port, UniqueFd name) : port_(port), name_(std::move(name)) {}
    std::uint16_t port_;
    UniqueFd name_;
};

/// An Ethernet address, locally administered, in QEMU's notation ("9a:…").
struct MacAddress {
    std::string text;

    /// A random one under Avocado-VT's prefix 9a: 40 random bits make a clash on one host unlikely beyond
    /// mention.
    static MacAddress random();
    /// One that follows from \p seed: the same for the same text.
    static MacAddress from(std::string_view seed);
    /// Reads "9a:00:11:22:33:44". Throws Error.
    static MacAddress parse(std::string_view text);
    bool operator==(const MacAddress&) const = default;
};

/// A MAC address that nobody else on this host has leased, ours while the object lives.
class MacLease {
  public:
    /// The address that belongs to \p seed (a job, a VM and its NIC: so it stays the same through the job),
    /// or the next if somebody has that.
    static MacLease take(const std::string& seed);

    const MacAddress& mac() const { return mac_; }

  private:
    MacLease(MacAddress mac, UniqueFd name) : mac_(std::move(mac)), name_(std::move(name)) {}
    MacAddress mac_;
    UniqueFd name_;
};

}  // namespace vt
