// SPDX-License-Identifier: GPL-2.0-or-later
/// \file list_ticker.hpp
/// Says on standard error how far a list is, where that takes longer than somebody waits without wondering.
///
/// A thread of its own, because the walk through a config is one call that may not return for minutes. The
/// lines begin with the program's name, by which the Avocado plugin knows what to pass on.
#pragma once

#include "resolver/list_bounds.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace vt {

/// While it lives, a line every so often.
class ListTicker {
  public:
    static constexpr std::chrono::seconds pause{2};

    ListTicker();
    ~ListTicker();
    ListTicker(const ListTicker&) = delete;
    ListTicker& operator=(const ListTicker&) = delete;

    resolver::ListProgress& progress() noexcept { return progress_; }

  private:
    void run();

    resolver::ListProgress progress_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool end_ = false;
    std::thread thread_;
};

}  // namespace vt
