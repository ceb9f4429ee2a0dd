// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/format.hpp"

#include "cfg/image.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

namespace vt::cfg {
namespace {

constexpr std::uint32_t special_bit = 1U << 31;

using TextMap = std::vector<std::pair<std::string_view, std::string_view>>;

void append_json_map(std::string& out, const TextMap& map) {
    TextMap sorted = map;
    std::sort(sorted.begin(), sorted.end());
    out += '{';
    for (const auto& [key, value] : sorted) {
        out += out.back() == '{' ? "" : ",";
        append_json_string(out, key);
        out += ':';
        append_json_string(out, value);
    }
    out += '}';
}

void append_json_list(std::string& out, const std::vector<std::string_view>& list) {
    out += '[';
    for (const std::string_view item : list) {
        out += out.back() == '[' ? "" : ",";
        append_json_string(out, item);
    }
    out += ']';
}

/// The value of one of the keys that are no ordinary entries.
void append_json_special(std::string& out, const Dictionary& dictionary, std::uint32_t key) {
    switch (key) {
        case reserved::name:
            append_json_string(out, dictionary.name);
            break;
        case reserved::shortname:
            append_json_string(out, dictionary.shortname);
            break;
        case reserved::dep:
            append_json_list(out, dictionary.dep);
            break;
        case reserved::name_map:
            append_json_map(out, dictionary.name_map);
            break;
        default:
            append_json_map(out, dictionary.short_name_map);
            break;
    }
}

bool has_special(const Dictionary& dictionary, std::uint32_t key) {
    return key < reserved::name_map || !dictionary.name_map.empty();
}

constexpr std::string_view special_names[] = {"name", "shortname", "dep", "_name_map_file",
                                              "_short_name_map_file"};

std::string python_map(const TextMap& map) {
    std::string out = "{";
    for (const auto& [key, value] : map) {
        out += fmt::format("{}'{}': '{}'", out.size() > 1 ? ", " : "", key, value);
    }
    return out + "}";
}

std::string python_list(const std::vector<std::string_view>& list) {
    std::string out = "[";
    for (const std::string_view item : list) {
        out += fmt::format("{}'{}'", out.size() > 1 ? ", " : "", item);
    }
    return out + "]";
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        out += text.substr(copied, i - copied);
        copied = i + 1;
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\b':
                out += "\\b";
                break;
            case '\f':
                out += "\\f";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\r':
                out += "\\r";
                break;
            case '\t':
                out += "\\t";
                break;
            default:
                out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        }
    }
    out += text.substr(copied);
    out += '"';
}

JsonWriter::JsonWriter(const Program& program)
    : ranks_((program.image().keys.size() + 63) / 64),
      by_rank_(program.image().keys.size()),
      key_texts_(program.image().keys.size()) {
    const Image& image = program.image();
    for (std::uint32_t key = 0; key < image.keys.size(); ++key) {
        std::string& text = key_texts_[image.keys[key].rank];
        append_json_string(text, image.text(image.keys[key].text));
        text += ':';
        if (key < reserved::count) {
            special_.push_back(image.keys[key].rank);
        }
    }
}

void JsonWriter::append(std::string& out, const Dictionary& dictionary) {
    std::fill(ranks_.begin(), ranks_.end(), 0);
    const auto mark = [this](std::uint32_t rank, std::uint32_t what) {
        ranks_[rank / 64] |= std::uint64_t{1} << rank % 64;
        by_rank_[rank] = what;
    };
    for (std::uint32_t i = 0; i < dictionary.entries.size(); ++i) {
        if (dictionary.entries[i].rank == Entry::no_rank) {
            append_unranked(out, dictionary);
            return;
        }
        mark(dictionary.entries[i].rank, i);
    }
    for (std::uint32_t key = 0; key < reserved::count; ++key) {
        if (has_special(dictionary, key)) {
            mark(special_[key], key | special_bit);
        }
    }
    char separator = '{';
    for (std::uint32_t word = 0; word < ranks_.size(); ++word) {
        for (std::uint64_t bits = ranks_[word]; bits != 0; bits &= bits - 1) {
            const auto rank = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
            out += separator;
            separator = ',';
            out += key_texts_[rank];
            if ((by_rank_[rank] & special_bit) != 0) {
                append_json_special(out, dictionary, by_rank_[rank] & ~special_bit);
                continue;
            }
            const Entry& entry = dictionary.entries[by_rank_[rank]];
            if (entry.plain) {
                out += '"';
                out += entry.value;
                out += '"';
            } else {
                append_json_string(out, entry.value);
            }
        }
    }
    out += '}';
}

/// The slow way, for keys that exist only since the expansion.
void JsonWriter::append_unranked(std::string& out, const Dictionary& dictionary) {
    std::vector<std::pair<std::string_view, std::uint32_t>> order;
    for (std::uint32_t i = 0; i < dictionary.entries.size(); ++i) {
        order.emplace_back(dictionary.entries[i].key, i);
    }
    for (std::uint32_t key = 0; key < reserved::count; ++key) {
        if (has_special(dictionary, key)) {
            order.emplace_back(special_names[key], key | special_bit);
        }
    }
    std::sort(order.begin(), order.end());
    char separator = '{';
    for (const auto& [key, what] : order) {
        out += separator;
        separator = ',';
        append_json_string(out, key);
        out += ':';
        if ((what & special_bit) != 0) {
            append_json_special(out, dictionary, what & ~special_bit);
        } else {
            append_json_string(out, dictionary.entries[what].value);
        }
    }
    out += '}';
}

void append_text(std::string& out, const Dictionary& dictionary, std::size_t number, bool full_name,
                 bool contents) {
    out += fmt::format("dict {:4}:  {}\n", number, full_name ? dictionary.name : dictionary.shortname);
    if (!contents) {
        return;
    }
    std::vector<std::pair<std::string_view, std::string>> lines;
    for (const Entry& entry : dictionary.entries) {
        lines.emplace_back(entry.key, entry.value);
    }
    lines.emplace_back("name", dictionary.name);
    lines.emplace_back("shortname", dictionary.shortname);
    lines.emplace_back("dep", python_list(dictionary.dep));
    if (!dictionary.name_map.empty()) {
        lines.emplace_back("_name_map_file", python_map(dictionary.name_map));
        lines.emplace_back("_short_name_map_file", python_map(dictionary.short_name_map));
    }
    std::sort(lines.begin(), lines.end());
    for (const auto& [key, value] : lines) {
        out += fmt::format("    {} = {}\n", key, value);
    }
}

}  // namespace vt::cfg
