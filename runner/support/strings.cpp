// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/strings.hpp"

#include "runner/support/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <random>

#include <fmt/core.h>

namespace vt {
namespace {

constexpr std::string_view blanks = " \t\n\r\f\v";

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t above = row[j];
            const std::size_t cost = left[i - 1] == right[j - 1] ? 0 : 1;
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + cost});
            diagonal = above;
        }
    }
    return row.back();
}

bool needs_quotes(std::string_view word) {
    return word.empty() || !std::all_of(word.begin(), word.end(), [](unsigned char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("_-./=,:+@%^").find(static_cast<char>(c)) != std::string_view::npos;
           });
}

}  // namespace

std::size_t utf8_length(std::string_view bytes) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || bytes.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
    const bool surrogate = lead == 0xED && at(1) >= 0xA0;
    const bool too_large = lead == 0xF4 && at(1) >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    for (;;) {
        const auto first = text.find_first_not_of(blanks);
        if (first == std::string_view::npos) {
            return words;
        }
        text.remove_prefix(first);
        const auto end = std::min(text.find_first_of(blanks), text.size());
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
    }
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    for (;;) {
        const auto end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const auto& part : parts) {
        if (&part != &parts.front()) {
            text += separator;
        }
        text += part;
    }
    return text;
}

std::string replace_all(std::string text, std::string_view from, std::string_view to) {
    for (auto at = text.find(from); at != std::string::npos && !from.empty();
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::string shell_quote(const std::vector<std::string>& argv) {
    std::vector<std::string> words;
    words.reserve(argv.size());
    for (const auto& word : argv) {
        words.push_back(needs_quotes(word) ? "'" + replace_all(word, "'", R"('\'')") + "'" : word);
    }
    return join(words, " ");
}

std::string to_valid_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto length = utf8_length(bytes);
        if (length == 0) {
            text += "\xEF\xBF\xBD";
            bytes.remove_prefix(1);
        } else {
            text += bytes.substr(0, length);
            bytes.remove_prefix(length);
        }
    }
    return text;
}

std::vector<std::string> nearest(std::string_view wanted, const std::vector<std::string>& candidates,
                                 std::size_t count) {
    std::vector<std::pair<std::size_t, const std::string*>> ranked;
    const std::size_t limit = std::max<std::size_t>(2, wanted.size() / 3);
    for (const auto& candidate : candidates) {
        const auto distance = edit_distance(wanted, candidate);
        const bool part = wanted.size() >= 3 && candidate.find(wanted) != std::string::npos;
        if (distance <= limit || part) {
            ranked.emplace_back(distance, &candidate);
        }
    }
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> names;
    for (const auto& [distance, name] : ranked) {
        if (names.size() == count) {
            break;
        }
        names.push_back(*name);
    }
    return names;
}

std::string random_name() {
    static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::random_device device;
    std::string name;
    for (int i = 0; i < 8; ++i) {
        name += letters[device() % letters.size()];
    }
    return name;
}

std::string content_digest(std::string_view content) {
    std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
    for (unsigned char byte : content) {
        hash = (hash ^ byte) * 0x100000001b3U;
    }
    return fmt::format("{:016x}", hash);
}

}  // namespace vt
