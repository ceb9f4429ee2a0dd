// SPDX-License-Identifier: GPL-2.0-or-later
/// \file name_filter.hpp
/// A filter of the Cartesian language, judged against complete names.
///
/// The engine judges filters while it walks through a program. For references that would mean one walk each;
/// here one walk makes all names and every reference is held against them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vt::resolver {

/// The labels of a dictionary's `name`; views into it.
std::vector<std::string_view> labels_of(std::string_view full_name);

/// Words of which one must match; in a word, parts (`..`) that must all occur; in a part, labels (`.`) that
/// must be adjacent.
class NameFilter {
  public:
    /// Throws cfg::ParserError on what is no filter.
    explicit NameFilter(const std::string& text);

    bool matches(const std::vector<std::string_view>& labels) const;

  private:
    using Part = std::vector<std::string>;
    using Word = std::vector<Part>;

    std::vector<Word> words_;
};

}  // namespace vt::resolver
