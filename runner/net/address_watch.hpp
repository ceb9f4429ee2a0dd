// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Learning a guest's IPv4 address from what passes its tap: what a DHCP server gives it, what it says by
/// ARP.
///
/// Nobody else need know it: not the host's neighbour table, which forgets and knows only whom the host spoke
/// to. A filter in the kernel passes on ARP and DHCP only, so a guest's traffic costs nothing.
#pragma once

#include "runner/io/io_loop.hpp"
#include "runner/sharing/ports.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace vt {

/// What the Ethernet frame \p frame tells of the guest with \p mac: its address (DHCPACK: RFC 2131; ARP: RFC
/// 826).
std::optional<std::string> address_in_frame(const std::uint8_t* frame, std::size_t size,
                                            const MacAddress& mac);

/// Looks at one interface until destroyed.
class AddressWatch {
  public:
    /// Throws SystemError (only root may look).
    AddressWatch(IoLoop& loop, const std::string& interface, MacAddress mac);
    ~AddressWatch();
    AddressWatch(const AddressWatch&) = delete;
    AddressWatch& operator=(const AddressWatch&) = delete;

    /// The last one that was seen. Thread-safe.
    std::optional<std::string> address() const;

  private:
    struct Impl;
    IoLoop& loop_;
    std::shared_ptr<Impl> impl_;
};

}  // namespace vt
