// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The ways into a test's machines, for a person who pauses the test to look around.
///
/// A machine enters itself here when it runs and leaves when it goes. The pause comes on a thread of its own
/// while the test goes on, so everything here is under one lock, and what is kept of a machine is what cannot
/// change while it runs. QEMU's sockets serve one client at a time: consoles that the runner reads are let go
/// of during a pause; of the monitors those are told that the runner does not use.
#pragma once

#include "runner/support/deadline.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vt {

class SerialConsole;

/// The ways into one running machine.
struct WaysIn {
    std::string name;  ///< of the machine
    std::function<std::string()>
        shell;                         ///< how to log in over the network; asked at the pause, empty: no way
    std::vector<std::string> sockets;  ///< one line each: monitors, displays
    std::vector<std::shared_ptr<SerialConsole>> consoles;
};

/// All machines of a task. Thread-safe.
class GuestAccess {
  public:
    /// Enters a machine; \p key is whoever takes it out again.
    void add(const void* key, WaysIn ways);
    void remove(const void* key);

    /// Lets go of the consoles and returns what a person needs to know, a line each; empty without machines.
    std::string open_up();
    /// Takes the consoles back.
    void close_up(const Deadline& deadline);

  private:
    std::mutex mutex_;
    std::map<const void*, WaysIn> machines_;
};

}  // namespace vt
