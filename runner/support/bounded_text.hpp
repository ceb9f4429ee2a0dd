// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The first and the last part of a text that may have no end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace vt {

/// Decides what of a stream of pieces goes on at once and what is kept for the end. Three quarters of the
/// limit are the first part, one quarter the last.
class BoundedText {
  public:
    /// \param limit in bytes; 0: none
    explicit BoundedText(std::size_t limit) : limit_(limit) {}

    /// True if \p piece goes on at once; else it has been kept, or will be missing.
    bool take(std::string_view piece);
    /// The bytes that are missing between the parts.
    std::uint64_t missing() const { return missing_; }
    /// What was kept, oldest first, and at most the last \p most bytes of it; nothing is kept any more.
    std::deque<std::string> finish(std::size_t most);
    /// The line for the gap; empty if nothing is missing.
    std::string gap_text() const;

  private:
    std::size_t limit_;
    std::uint64_t passed_ = 0;
    std::uint64_t missing_ = 0;
    std::size_t kept_bytes_ = 0;
    std::deque<std::string> kept_;
};

}  // namespace vt
