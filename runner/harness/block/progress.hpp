// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a script tells beside its output (which is compared): how its unittest cases end. A named pipe that
/// the IoLoop reads; not for others than the run of a script.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

namespace vt {
class IoLoop;
}

namespace vt::block {

/// Reads lines from construction to destruction.
class Progress {
  public:
    /// Makes the pipe \p file. \p on_line runs on the loop's thread. Throws SystemError.
    Progress(IoLoop& loop, const std::filesystem::path& file,
             std::function<void(std::string_view line)> on_line);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

  private:
    struct State;
    IoLoop& loop_;
    std::shared_ptr<State> state_;
};

}  // namespace vt::block
