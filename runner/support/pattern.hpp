// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A regular expression over what a guest or a program prints: PCRE2, near enough to Python's `re` that
/// prompts written for it work.
///
/// Output is hostile and prompts are users': matching is bounded by PCRE2's match limits, and bytes that are
/// no UTF-8 match nothing but do no harm.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace vt {

/// A compiled expression; cheap to copy, usable by several threads.
class Pattern {
  public:
    /// Throws Error naming the place of the mistake.
    explicit Pattern(const std::string& expression);

    /// True if it matches anywhere in \p text. A match that takes too long counts as none and is logged.
    bool search(std::string_view text) const;

  private:
    struct Impl;
    std::shared_ptr<const Impl> impl_;
};

}  // namespace vt
