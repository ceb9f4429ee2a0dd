// SPDX-License-Identifier: GPL-2.0-or-later
/// \file name_filter.hpp
/// A filter of the Cartesian language, judged against complete names.
///
/// The engine judges filters while it walks through a program. For references that would mean one walk each;
/// here one walk makes all names and every reference is held against them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
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
    friend class NameFilterIndex;

    using Part = std::vector<std::string>;
    using Word = std::vector<Part>;

    std::vector<Word> words_;
};

/// Many filters at once. Each word is filed under the one of its labels that the fewest words have, so a name
/// is held only against words that have a good chance: thousands of references cost little more than one.
class NameFilterIndex {
  public:
    /// \param filters must outlive the index and stay where they are; empty places match nothing
    explicit NameFilterIndex(const std::vector<std::optional<NameFilter>>& filters);

    /// The places of the filters that a name of these labels matches, ascending.
    std::vector<std::size_t> matches(const std::vector<std::string_view>& labels) const;

  private:
    struct Entry {
        std::size_t place = 0;
        const NameFilter::Word* word = nullptr;
    };

    std::unordered_map<std::string_view, std::vector<Entry>> by_label_;
};

}  // namespace vt::resolver
