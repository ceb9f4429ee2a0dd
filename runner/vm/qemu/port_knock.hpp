// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Whether a guest on QEMU's user-mode network listens at a port, without a connection to it.
///
/// QEMU's network filters let the runner speak on the guest's own network: a filter-redirector takes frames
/// from a socket and sends them to the NIC (net/filter-mirror.c in QEMU's sources: each frame behind its
/// length in four bytes, network order), a filter-dump writes what passes to a file in pcap format, each
/// frame cut to a few bytes. Both are made by QMP when somebody waits for the guest and go when the wait is
/// over; the command line knows nothing of them. The frames cost the guest's kernel next to nothing and reach
/// none of its programs. QEMU writes the dump whatever the runner does, so a runner that stands still does
/// not hold up the guest; the file has no name and goes with whoever has it open.
#pragma once

#include "runner/net/knock_frames.hpp"
#include "runner/session/server_sign.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace vt {
class IoLoop;
class QmpMonitor;
}  // namespace vt

namespace vt::qemu {

/// What a PortKnock needs of the machine. What is referred to must outlive it.
struct KnockPlace {
    IoLoop& loop;
    QmpMonitor& monitor;
    std::filesystem::path directory;  ///< for a socket and a file, which QEMU opens too; both go at once
    std::string netdev;               ///< the back end's id
    KnockEnds ends;
};

/// Asks until the port listens, then rests until ask_again().
class PortKnock final : public ServerSign {
  public:
    /// Throws MonitorError, SystemError, TimeoutError, Error if QEMU cannot do it.
    explicit PortKnock(const KnockPlace& place);
    ~PortKnock() override;
    PortKnock(const PortKnock&) = delete;
    PortKnock& operator=(const PortKnock&) = delete;

    State look() override;
    int fd() const override;
    void ask_again() override;

  private:
    struct Watch;
    void remove() noexcept;

    QmpMonitor& monitor_;
    std::string id_;
    std::shared_ptr<Watch> watch_;
};

}  // namespace vt::qemu
