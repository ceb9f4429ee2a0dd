// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The one thread that reads monitors, consoles and output pipes whatever the test does.
///
/// An Asio io_context with its thread. Layers that read in the background take an IoLoop; code that waits
/// takes a Deadline and a condition of its own. Asio's header is heavy, so it is only named here.
#pragma once

#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace vt {

/// Runs handlers on a thread of its own from construction to destruction. Signals are blocked in that thread.
class IoLoop {
  public:
    IoLoop();
    /// Stops the thread; handlers that have not run are dropped.
    ~IoLoop();
    IoLoop(const IoLoop&) = delete;
    IoLoop& operator=(const IoLoop&) = delete;

    boost::asio::io_context& context();
    /// Runs \p work on the loop's thread and returns when it has run; directly if called on that thread.
    void run_there(const std::function<void()>& work);
    /// True on the loop's own thread, where nothing may be awaited that the loop has to do.
    bool is_here() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace vt
