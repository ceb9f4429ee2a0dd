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
    for (const std::string& word : words_of(text)) {
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
    return std::any_of(words_.begin(), words_.end(), [&](const Word& word) {
        return std::all_of(word.begin(), word.end(),
                           [&](const Part& part) { return part_matches(part, labels); });
    });
}

}  // namespace vt::resolver
