// SPDX-License-Identifier: GPL-2.0-or-later
/// \file lint_labels.hpp
/// Which labels can share a name with a node, from the structure of an Image alone.
///
/// Two answers of different cost. A set of symbols for each node tells what can stand in some name with it;
/// that settles filters of one label. Whether several can stand in one name together needs the ways through
/// the graph: two variants of one block never do. For that the word is made an automaton, whose states are
/// carried from the top to the leaf, each node once.
#pragma once

#include "cfg/image.hpp"

#include <cstdint>
#include <vector>

namespace vt::cfg {

/// A set of symbols.
using SymbolSet = std::vector<std::uint64_t>;

/// The labels around each node. The image must outlive it.
class LabelReach {
  public:
    explicit LabelReach(const Image& image);

    /// The symbols of all names that lead through a node.
    SymbolSet around(std::uint32_t node) const;

    /// Whether some name that leads through a node matches a word of a filter, whatever other filters say.
    bool reachable(std::uint32_t node, std::uint32_t word) const;

    /// Whether a word of a filter has nothing but symbols of the set.
    bool possible(const SymbolSet& set, std::uint32_t word) const;

    /// Whether any word of a filter has.
    bool possible(const SymbolSet& set, const Filter& filter) const;

    /// Whether a word is certain to match where these labels follow each other.
    bool certain(const Range& labels, std::uint32_t word) const;

  private:
    void add_labels(SymbolSet& set, const Node& node) const;

    const Image& image_;
    std::vector<SymbolSet> above_;
    std::vector<std::vector<std::uint32_t>> parents_;
};

}  // namespace vt::cfg
