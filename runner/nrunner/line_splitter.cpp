// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/line_splitter.hpp"

#include <utility>

namespace vt::nrunner {

std::string LineSplitter::feed(std::string_view bytes) {
    rest_ += bytes;
    const auto end = rest_.rfind('\n');
    if (end == std::string::npos) {
        return rest_.size() > limit_ ? flush() : std::string();
    }
    auto lines = rest_.substr(0, end + 1);
    rest_.erase(0, end + 1);
    return lines;
}

std::string LineSplitter::flush() {
    auto line = std::exchange(rest_, {});
    if (!line.empty()) {
        line += '\n';
    }
    return line;
}

}  // namespace vt::nrunner
