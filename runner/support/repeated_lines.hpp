// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A line that is written over and over again, as by a program that is stuck in a loop, is counted instead.
#pragma once

#include "runner/support/deadline.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace vt {

/// Lets so many equal lines pass in a second; the others are counted.
class RepeatedLines {
  public:
    static constexpr int passed_per_second = 100;
    static constexpr std::size_t longest = 4096;  ///< longer lines are never taken for equal

    /// True if \p line is to be written; false if it is one too many of its kind.
    bool take(std::string_view line);
    /// Equal lines that were counted since the last call; asked before a line that is to be written, and at
    /// the end.
    std::uint64_t take_count();
    /// The words for that many; empty for none.
    static std::string text(std::uint64_t count);

  private:
    std::string last_;
    int in_second_ = 0;
    std::uint64_t held_ = 0;
    Deadline::Clock::time_point second_{};
};

}  // namespace vt
