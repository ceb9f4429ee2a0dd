// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/repeated_lines.hpp"

#include <utility>

#include <fmt/core.h>

namespace vt {

bool RepeatedLines::take(std::string_view line) {
    if (line.size() > longest || line != last_) {
        last_ = line.substr(0, longest + 1);
        in_second_ = 0;
        second_ = Deadline::Clock::now();
        return true;
    }
    if (++in_second_ < passed_per_second) {
        return true;
    }
    const auto now = Deadline::Clock::now();
    if (now - second_ >= Seconds(1)) {
        second_ = now;
        in_second_ = 0;
        return true;
    }
    ++held_;
    return false;
}

std::uint64_t RepeatedLines::take_count() {
    return std::exchange(held_, 0);
}

std::string RepeatedLines::text(std::uint64_t count) {
    return count == 0 ? std::string() : fmt::format("[the line above came {} more times]", count);
}

}  // namespace vt
