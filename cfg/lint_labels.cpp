// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/lint_labels.hpp"

#include "cfg/errors.hpp"

#include <algorithm>
#include <string_view>

namespace vt::cfg {
namespace {

constexpr std::size_t most_label_bytes = std::size_t{1} << 30;

/// Labels of a word whose ways are followed; longer ones are taken to be possible.
constexpr std::size_t most_followed_labels = 16;

/// How much of a word the labels so far have matched: for each block the labels that match at the end of the
/// name, or all of the block once it has occurred. Four bits a block.
using Progress = std::uint64_t;

/// A word of a filter, fed with the labels of a name in order.
class WordMatcher {
  public:
    WordMatcher(const Image& image, std::uint32_t word) : image_(image), blocks_(image.words[word]) {}

    /// Whether it is short and plain enough to be followed.
    bool fits() const {
        std::size_t labels = 0;
        for (std::uint32_t block = blocks_.begin; block < blocks_.end; ++block) {
            labels += length(block);
            if (length(block) > 15 || is_ambiguous(block)) {
                return false;
            }
        }
        return labels <= most_followed_labels && blocks_.end - blocks_.begin <= 16;
    }

    Progress feed(Progress progress, const Label& label) const {
        for (std::uint32_t block = blocks_.begin; block < blocks_.end; ++block) {
            const unsigned shift = (block - blocks_.begin) * 4;
            const std::size_t done = progress >> shift & 15U;
            if (done < length(block)) {
                progress &= ~(Progress{15} << shift);
                progress |= Progress{next(block, done, label)} << shift;
            }
        }
        return progress;
    }

    bool complete(Progress progress) const {
        for (std::uint32_t block = blocks_.begin; block < blocks_.end; ++block) {
            if ((progress >> (block - blocks_.begin) * 4 & 15U) < length(block)) {
                return false;
            }
        }
        return true;
    }

  private:
    std::size_t length(std::uint32_t block) const {
        return image_.blocks[block].end - image_.blocks[block].begin;
    }

    bool same(std::uint32_t block, std::size_t index, const Label& label) const {
        const std::uint32_t symbol = image_.block_symbols[image_.blocks[block].begin + index];
        return label.name_symbol == symbol || label.exact_symbol == symbol;
    }

    /// Labels that match at the end once `label` follows those that did.
    std::size_t next(std::uint32_t block, std::size_t done, const Label& label) const {
        for (std::size_t kept = done;; --kept) {
            if (same(block, kept, label) && is_border(block, done, kept)) {
                return kept + 1;
            }
            if (kept == 0) {
                return 0;
            }
        }
    }

    /// Whether the last `kept` of the first `done` labels are the first ones again.
    bool is_border(std::uint32_t block, std::size_t done, std::size_t kept) const {
        const auto* symbols = image_.block_symbols.data() + image_.blocks[block].begin;
        return std::equal(symbols, symbols + kept, symbols + (done - kept));
    }

    /// Whether one label can match two different ones of a block: `a` and `(v=a)`.
    bool is_ambiguous(std::uint32_t block) const {
        const Range symbols = image_.blocks[block];
        for (std::uint32_t i = symbols.begin; i < symbols.end; ++i) {
            for (std::uint32_t k = i + 1; k < symbols.end; ++k) {
                const std::uint32_t left = image_.block_symbols[i];
                const std::uint32_t right = image_.block_symbols[k];
                if (left != right && bare(left) == bare(right)) {
                    return true;
                }
            }
        }
        return false;
    }

    std::string_view bare(std::uint32_t symbol) const {
        const std::string_view text = image_.text(image_.symbols[symbol]);
        const std::size_t equals = text.find('=');
        return equals == std::string_view::npos ? text : text.substr(equals + 1, text.size() - equals - 2);
    }

    const Image& image_;
    Range blocks_;
};

using ProgressSet = std::vector<Progress>;

void insert(ProgressSet& set, Progress progress) {
    if (std::find(set.begin(), set.end(), progress) == set.end()) {
        set.push_back(progress);
    }
}

}  // namespace

LabelReach::LabelReach(const Image& image)
    : image_(image), above_(image.nodes.size()), parents_(image.nodes.size()) {
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
            parents_[image.children[i]].push_back(static_cast<std::uint32_t>(number));
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

bool LabelReach::reachable(std::uint32_t node, std::uint32_t word) const {
    const WordMatcher matcher(image_, word);
    if (!matcher.fits()) {
        return true;
    }
    // Only the nodes that ways through `node` pass.
    std::vector<bool> passed(image_.nodes.size());
    std::vector<std::uint32_t> open = {node};
    while (!open.empty()) {
        const std::uint32_t number = open.back();
        open.pop_back();
        if (!passed[number]) {
            passed[number] = true;
            open.insert(open.end(), parents_[number].begin(), parents_[number].end());
        }
    }
    std::vector<ProgressSet> states(image_.nodes.size());
    states[image_.top] = {0};
    for (std::size_t number = image_.nodes.size(); number-- > 0;) {
        if (states[number].empty() || (number > node && !passed[number])) {
            continue;
        }
        const Node& here = image_.nodes[number];
        ProgressSet after;
        for (Progress progress : states[number]) {
            for (std::uint32_t i = here.labels.begin; i < here.labels.end; ++i) {
                progress = matcher.feed(progress, image_.labels[i]);
            }
            insert(after, progress);
        }
        if (here.children.empty()) {
            return std::any_of(after.begin(), after.end(),
                               [&](Progress progress) { return matcher.complete(progress); });
        }
        for (std::uint32_t i = here.children.begin; i < here.children.end; ++i) {
            const std::uint32_t child = image_.children[i];
            if (child <= node && child != node && number > node) {
                continue;  // a way around the node
            }
            for (const Progress progress : after) {
                insert(states[child], progress);
            }
        }
        states[number].clear();
    }
    return false;
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
