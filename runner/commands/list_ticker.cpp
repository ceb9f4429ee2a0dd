// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/list_ticker.hpp"

#include <cstdio>

#include <fmt/core.h>

namespace vt {

ListTicker::ListTicker() : thread_([this] { run(); }) {}

ListTicker::~ListTicker() {
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    ended_.notify_one();
    thread_.join();
}

void ListTicker::run() {
    const auto begin = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, pause, [this] { return end_; })) {
        const auto passed =
            std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
        fmt::print(stderr, "avocado-runner-vt: listing for {} s: {} tests looked at, {} found so far\n",
                   passed.count(), progress_.names.load(), progress_.found.load());
        std::fflush(stderr);
    }
}

}  // namespace vt
