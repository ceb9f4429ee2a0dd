// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/builder.hpp"

#include <algorithm>
#include <functional>

namespace vt::cfg {
namespace {

/// A key of letters, digits and `_` means itself as a regular expression.
bool is_literal(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-';
    });
}

}  // namespace

void Interner::grow() {
    table_.assign(table_.size() * 2, none);
    const std::size_t mask = table_.size() - 1;
    for (std::uint32_t id = 0; id < texts_.size(); ++id) {
        std::size_t slot = hashes_[id] & mask;
        while (table_[slot] != none) {
            slot = (slot + 1) & mask;
        }
        table_[slot] = id;
    }
}

std::uint32_t Interner::find_or_add(std::string_view text, Blob* copy_to) {
    const std::size_t hash = std::hash<std::string_view>()(text);
    const std::size_t mask = table_.size() - 1;
    std::size_t slot = hash & mask;
    for (; table_[slot] != none; slot = (slot + 1) & mask) {
        const std::uint32_t id = table_[slot];
        if (hashes_[id] == hash && texts_[id] == text) {
            return id;
        }
    }
    const auto id = static_cast<std::uint32_t>(texts_.size());
    texts_.push_back(copy_to != nullptr ? copy_to->view(copy_to->add(text)) : text);
    hashes_.push_back(hash);
    table_[slot] = id;
    if (texts_.size() * 2 > table_.size()) {
        grow();
    }
    return id;
}

Builder::Builder(std::size_t total_bytes) : blob(total_bytes), nodes(1) {
    for (const std::string_view key :
         {"name", "shortname", "dep", "_name_map_file", "_short_name_map_file"}) {
        keys.intern(key);
    }
}

std::uint32_t Builder::add_filter(const FilterWords& words) {
    Filter filter;
    filter.words.begin = static_cast<std::uint32_t>(words_.size());
    for (const auto& word : words) {
        Range blocks{static_cast<std::uint32_t>(blocks_.size()), 0};
        for (const auto& block : word) {
            const auto begin = static_cast<std::uint32_t>(block_symbols_.size());
            block_symbols_.insert(block_symbols_.end(), block.begin(), block.end());
            blocks_.push_back({begin, static_cast<std::uint32_t>(block_symbols_.size())});
        }
        blocks.end = static_cast<std::uint32_t>(blocks_.size());
        words_.push_back(blocks);
    }
    filter.words.end = static_cast<std::uint32_t>(words_.size());
    if (words.size() == 1 && words[0].size() == 1 && words[0][0].size() == 1) {
        filter.single = words[0][0][0];
    }
    filters_.push_back(filter);
    return static_cast<std::uint32_t>(filters_.size() - 1);
}

std::uint32_t Builder::add_file(const File& file) {
    files.push_back(file);
    return static_cast<std::uint32_t>(files.size() - 1);
}

std::uint32_t Builder::add_map_file(std::string_view path) {
    const std::string_view base = path.substr(path.rfind('/') + 1);
    for (std::uint32_t i = 0; i < map_files_.size(); ++i) {
        if (blob.view(map_files_[i]) == base) {
            return i;
        }
    }
    map_files_.push_back(blob.add(base));
    return static_cast<std::uint32_t>(map_files_.size() - 1);
}

std::uint32_t Builder::add_pattern(std::string_view text) {
    patterns_.push_back({blob.place(text), is_literal(text) ? keys.intern(text) : none});
    return static_cast<std::uint32_t>(patterns_.size() - 1);
}

std::uint32_t Builder::add_template(std::string_view value) {
    const auto begin = static_cast<std::uint32_t>(pieces_.size());
    std::size_t literal = 0;
    std::size_t open = value.find("${");
    while (open != std::string_view::npos) {
        // The key has at least one character, which may be a brace.
        const std::size_t close = value.find('}', open + 3);
        if (close == std::string_view::npos) {
            break;
        }
        pieces_.push_back({blob.place(value.substr(literal, open - literal)),
                           keys.intern(value.substr(open + 2, close - open - 2))});
        literal = close + 1;
        open = value.find("${", literal);
    }
    if (pieces_.size() == begin) {
        return none;
    }
    pieces_.push_back({blob.place(value.substr(literal)), none});
    templates_.push_back({begin, static_cast<std::uint32_t>(pieces_.size())});
    return static_cast<std::uint32_t>(templates_.size() - 1);
}

std::uint32_t Builder::exact_symbol(std::string_view block, std::string_view name) {
    std::string text;
    text.reserve(block.size() + name.size() + 3);
    text.append("(").append(block).append("=").append(name).append(")");
    return symbols.intern_copy(text, blob);
}

}  // namespace vt::cfg
