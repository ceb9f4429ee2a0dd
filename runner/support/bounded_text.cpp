// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/bounded_text.hpp"

#include <utility>

#include <fmt/core.h>

namespace vt {

bool BoundedText::take(std::string_view piece) {
    if (limit_ == 0 || (kept_.empty() && missing_ == 0 && passed_ + piece.size() <= limit_ - limit_ / 4)) {
        passed_ += piece.size();
        return true;
    }
    kept_bytes_ += piece.size();
    kept_.emplace_back(piece);
    while (kept_bytes_ > limit_ / 4 && kept_.size() > 1) {
        kept_bytes_ -= kept_.front().size();
        missing_ += kept_.front().size();
        kept_.pop_front();
    }
    return false;
}

std::deque<std::string> BoundedText::finish(std::size_t most) {
    while (kept_bytes_ > most && !kept_.empty()) {
        kept_bytes_ -= kept_.front().size();
        missing_ += kept_.front().size();
        kept_.pop_front();
    }
    kept_bytes_ = 0;
    return std::exchange(kept_, {});
}

std::string BoundedText::gap_text() const {
    return missing_ == 0
               ? std::string()
               : fmt::format(
                     "[... {} bytes are left out here: the log is longer than vt.common.log_limit ...]",
                     missing_);
}

}  // namespace vt
