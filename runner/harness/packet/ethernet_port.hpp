// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A real interface in a network namespace as a place where frames go in and come out: our end of a veth pair
/// whose other end is the daemon's, or the kernel's side of a tap that the daemon has opened.
///
/// What arrives is written to a capture by the reading thread, so that a test that is busy loses nothing.
#pragma once

#include "runner/harness/packet/frame.hpp"
#include "runner/net/network_namespace.hpp"
#include "runner/support/deadline.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace vt {
class IoLoop;
}

namespace vt::packet {

/// Makes the pair \p ours and \p theirs in \p network and brings both up; IPv6 stays silent there. Throws
/// Error, also if there is an interface of one of the names.
void make_veth(const NetworkNamespace& network, const std::string& ours, const std::string& theirs,
               std::size_t mtu);
/// Brings up \p interface, with \p mtu bytes. Throws Error.
void bring_up(const NetworkNamespace& network, const std::string& interface, std::size_t mtu);

/// A packet socket on an interface. Thread-safe.
class EthernetPort {
  public:
    /// \param capture where arriving frames are written (pcap), from now on. \p loop must outlive the object.
    EthernetPort(IoLoop& loop, const NetworkNamespace& network, const std::string& interface,
                 const std::filesystem::path& capture);
    EthernetPort(const EthernetPort&) = delete;
    EthernetPort& operator=(const EthernetPort&) = delete;
    ~EthernetPort();

    /// Sends frames, each whole. Throws TimeoutError, SystemError (EMSGSIZE for one beyond the MTU).
    void send(const std::vector<Frame>& frames, const Deadline& deadline);
    /// Frames that the kernel dropped as we read too slowly.
    std::uint64_t lost() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace vt::packet
