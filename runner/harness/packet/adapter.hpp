// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the harness has to know of a daemon to test it with packets. A small class a daemon; a test's own is
/// another one.
#pragma once

#include "runner/harness/packet/daemon.hpp"
#include "runner/harness/packet/frame.hpp"
#include "runner/harness/packet/pcap_file.hpp"
#include "runner/support/deadline.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vt::packet {

/// A packet generator interface as the daemon has it.
struct PortFacts {
    unsigned pg_index = 0;  ///< the test's number of it
    int sw_if_index = -1;   ///< the daemon's; counts from 1 where the daemon leaves it to us
    std::string name;       ///< "pg0"
    std::string mac;        ///< of the daemon's end
    std::size_t mtu = 1500;
};

/// Frames that wait to be sent into an interface.
struct Stream {
    unsigned pg_index = 0;
    std::vector<Frame> frames;
    std::filesystem::path file;  ///< the same frames as a capture
    std::string name;            ///< unique among the streams of a start
};

/// A daemon, driven. Calls come from one thread at a time.
class Adapter {
  public:
    virtual ~Adapter() = default;
    /// The word by which tests choose it: "ovs".
    virtual std::string name() const = 0;
    /// Runs the daemon; returns when it is ready.
    virtual void start() = 0;
    /// The daemon under test, once start() has made it; else null.
    virtual Daemon* daemon() = 0;
    /// Ends all that start() began; idempotent.
    virtual void stop() = 0;
    /// Has a command executed and returns what the daemon answers. Throws Error with the daemon's words.
    virtual std::string cli(const std::string& command, const Deadline& deadline) = 0;
    /// Makes an interface. Throws Error, also if there is one of that number.
    virtual PortFacts create_pg_interface(unsigned pg_index) = 0;
    /// From now on frames that leave the interface are captured.
    /// \param file where the capture is expected; one that lies elsewhere is copied there by the caller
    /// \return what reads it
    virtual std::unique_ptr<GrowingPcap> begin_capture(unsigned pg_index,
                                                       const std::filesystem::path& file) = 0;
    /// Sends streams into their interfaces.
    virtual void generate(const std::vector<Stream>& streams, const Deadline& deadline) = 0;
    /// A counter of the daemon's; nothing if it has none of that name.
    virtual std::optional<std::uint64_t> counter(const std::string& name) = 0;
    /// What the daemon says it would do with \p frame from an interface, or did with the last ones; empty if
    /// it cannot tell.
    virtual std::string trace(unsigned /*pg_index*/, const Frame& /*frame*/) { return {}; }
};

}  // namespace vt::packet
