// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/lint_labels.hpp"

#include "cfg/errors.hpp"

#include <algorithm>

namespace vt::cfg {
namespace {

constexpr std::size_t most_label_bytes = std::size_t{1} << 30;

}  // namespace

LabelReach::LabelReach(const Image& image) : image_(image), above_(image.nodes.size()) {
    if (image.nodes.size() * image.stride() * sizeof(std::uint64_t) > most_label_bytes) {
        throw LimitError(report_of("there are too many blocks and labels to lint (limit label_sets)",
                                   std::string(image.text(image.files.front().path))));
    }
    // Parents have higher numbers than their children.
    for (std::size_t number = image.nodes.size(); number-- > 0;) {
        if (above_[number].empty()) {
            above_[number].resize(image.stride());
        }
        SymbolSet down = above_[number];
        const Node& node = image.nodes[number];
        add_labels(down, node);
        for (std::uint32_t i = node.children.begin; i < node.children.end; ++i) {
            SymbolSet& child = above_[image.children[i]];
            child.resize(image.stride());
            for (std::size_t word = 0; word < down.size(); ++word) {
                child[word] |= down[word];
            }
        }
    }
}

void LabelReach::add_labels(SymbolSet& set, const Node& node) const {
    for (std::uint32_t i = node.labels.begin; i < node.labels.end; ++i) {
        for (const std::uint32_t symbol : {image_.labels[i].name_symbol, image_.labels[i].exact_symbol}) {
            if (symbol < image_.used_symbols) {
                set[symbol / 64] |= std::uint64_t{1} << symbol % 64;
            }
        }
    }
}

SymbolSet LabelReach::around(std::uint32_t number) const {
    const Node& node = image_.nodes[number];
    SymbolSet set = above_[number];
    add_labels(set, node);
    const std::uint64_t* below = image_.below.data() + std::size_t{node.below} * image_.stride();
    for (std::size_t word = 0; word < set.size(); ++word) {
        set[word] |= below[word];
    }
    return set;
}

bool LabelReach::possible(const SymbolSet& set, std::uint32_t word) const {
    const Range blocks = image_.words[word];
    for (std::uint32_t block = blocks.begin; block < blocks.end; ++block) {
        const Range symbols = image_.blocks[block];
        for (std::uint32_t i = symbols.begin; i < symbols.end; ++i) {
            const std::uint32_t symbol = image_.block_symbols[i];
            if ((set[symbol / 64] >> symbol % 64 & 1U) == 0) {
                return false;
            }
        }
    }
    return true;
}

bool LabelReach::possible(const SymbolSet& set, const Filter& filter) const {
    for (std::uint32_t word = filter.words.begin; word < filter.words.end; ++word) {
        if (possible(set, word)) {
            return true;
        }
    }
    return false;
}

bool LabelReach::certain(const Range& labels, std::uint32_t word) const {
    const auto same = [](const Label& label, std::uint32_t symbol) {
        return label.name_symbol == symbol || label.exact_symbol == symbol;
    };
    const auto* first = image_.labels.data() + labels.begin;
    const auto* last = image_.labels.data() + labels.end;
    const Range blocks = image_.words[word];
    for (std::uint32_t block = blocks.begin; block < blocks.end; ++block) {
        const auto* symbols = image_.block_symbols.data();
        if (std::search(first, last, symbols + image_.blocks[block].begin, symbols + image_.blocks[block].end,
                        same) == last) {
            return false;
        }
    }
    return true;
}

}  // namespace vt::cfg
