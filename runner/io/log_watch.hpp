// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Looks after a log file that another program writes: it stays below the limit of logs (log_bound.hpp).
///
/// By a timer, as a program that writes without end would wake whoever watches its file without end.
#pragma once

#include <filesystem>
#include <memory>

namespace vt {

class IoLoop;

/// Watches one file from construction to destruction. \p loop must outlive it.
class LogWatch {
  public:
    LogWatch(IoLoop& loop, const std::filesystem::path& path);
    ~LogWatch();
    LogWatch(const LogWatch&) = delete;
    LogWatch& operator=(const LogWatch&) = delete;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace vt
