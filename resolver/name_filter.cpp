// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/name_filter.hpp"

#include "cfg/parser.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

namespace vt::resolver {

namespace {

/// `b` of `(a=b)`; the label itself if it has no block's name.
std::string_view bare(std::string_view label) {
    auto equals = label.find('=');
    if (!label.starts_with('(') || equals == std::string_view::npos) {
        return label;
    }
    return label.substr(equals + 1, label.size() - equals - 2);
}

/// Blanks inside parentheses mean nothing, and `(a)` is `a`.
std::string normal(std::string_view label) {
    std::string result;
    std::copy_if(label.begin(), label.end(), std::back_inserter(result),
                 [](char c) { return c != ' ' && c != '\t'; });
    if (result.starts_with('(') && result.find('=') == std::string::npos) {
        result = result.substr(1, result.size() - 2);
    }
    return result;
}

bool label_matches(const std::string& wanted, std::string_view label) {
    return wanted.starts_with('(') ? wanted == label : wanted == bare(label);
}

bool part_matches(const std::vector<std::string>& part, const std::vector<std::string_view>& labels) {
    return std::search(labels.begin(), labels.end(), part.begin(), part.end(),
                       [](std::string_view label, const std::string& wanted) {
                           return label_matches(wanted, label);
                       }) != labels.end();
}

bool word_matches(const std::vector<std::vector<std::string>>& word,
                  const std::vector<std::string_view>& labels) {
    return std::all_of(word.begin(), word.end(),
                       [&](const std::vector<std::string>& part) { return part_matches(part, labels); });
}

/// A `#` ends a filter.
std::string_view without_comment(std::string_view text) {
    return text.substr(0, text.find('#'));
}

/// The words of a filter: separated by commas and blanks, but not inside parentheses.
std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words(1);
    bool inside = false;
    for (char c : text) {
        inside = c == '(' || (inside && c != ')');
        if (!inside && (c == ',' || c == ' ' || c == '\t')) {
            words.emplace_back();
        } else {
            words.back() += c;
        }
    }
    std::erase_if(words, [](const std::string& word) { return word.empty(); });
    return words;
}

}  // namespace

std::vector<std::string_view> labels_of(std::string_view full_name) {
    std::vector<std::string_view> labels;
    while (!full_name.empty()) {
        auto dot = full_name.find('.');
        labels.push_back(full_name.substr(0, dot));
        full_name = dot == std::string_view::npos ? std::string_view() : full_name.substr(dot + 1);
    }
    return labels;
}

NameFilter::NameFilter(const std::string& text) {
    // The engine knows what a filter is; after that, taking it apart cannot go wrong.
    cfg::Parser().only_filter(text);
    for (const std::string& word : words_of(without_comment(text))) {
        Word parts;
        for (const std::string& part : split(replace_all(word, "..", "\n"), '\n')) {
            Part labels;
            for (const std::string& label : split(part, '.')) {
                if (!label.empty()) {
                    labels.push_back(normal(label));
                }
            }
            if (!labels.empty()) {
                parts.push_back(std::move(labels));
            }
        }
        words_.push_back(std::move(parts));
    }
}

bool NameFilter::matches(const std::vector<std::string_view>& labels) const {
    return std::any_of(words_.begin(), words_.end(),
                       [&](const Word& word) { return word_matches(word, labels); });
}

NameFilterIndex::NameFilterIndex(const std::vector<std::optional<NameFilter>>& filters) {
    std::unordered_map<std::string_view, std::size_t> uses;
    const auto for_each_label = [](const NameFilter::Word& word, auto visit) {
        for (const NameFilter::Part& part : word) {
            for (const std::string& label : part) {
                visit(bare(label));
            }
        }
    };
    const auto for_each_word = [&filters](auto visit) {
        for (std::size_t place = 0; place < filters.size(); ++place) {
            if (filters[place]) {
                for (const NameFilter::Word& word : filters[place]->words_) {
                    visit(place, word);
                }
            }
        }
    };
    for_each_word([&](std::size_t, const NameFilter::Word& word) {
        for_each_label(word, [&](std::string_view label) { ++uses[label]; });
    });
    for_each_word([&](std::size_t place, const NameFilter::Word& word) {
        std::optional<std::string_view> rarest;
        for_each_label(word, [&](std::string_view label) {
            if (!rarest || uses[label] < uses[*rarest]) {
                rarest = label;
            }
        });
        if (rarest) {
            by_label_[*rarest].push_back({place, &word});
        }
    });
}

std::vector<std::size_t> NameFilterIndex::matches(const std::vector<std::string_view>& labels) const {
    std::vector<std::size_t> places;
    for (const std::string_view label : labels) {
        const auto found = by_label_.find(bare(label));
        if (found == by_label_.end()) {
            continue;
        }
        for (const Entry& entry : found->second) {
            if (word_matches(*entry.word, labels)) {
                places.push_back(entry.place);
            }
        }
    }
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    return places;
}

}  // namespace vt::resolver
