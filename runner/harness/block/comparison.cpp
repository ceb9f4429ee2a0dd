// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/comparison.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t most_cells = std::size_t{32} << 20;  ///< of the table below, a byte and a half each
constexpr std::size_t context = 3;

/// The lines of \p text without white space at their ends.
Lines lines_of(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        const auto last = line.find_last_not_of(" \t\r\f\v");
        lines.push_back(line.substr(0, last == std::string_view::npos ? 0 : last + 1));
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    }
    return lines;
}

struct Edit {
    char kind;  ///< ' ', '-', '+'
    std::string_view line;
};

/// The edits between the middles of two texts (whose common ends are cut off): by the longest common
/// subsequence, or all of one and then all of the other where the table would be too large.
std::vector<Edit> edits_between(const Lines& from, const Lines& to) {
    std::vector<Edit> edits;
    const auto rows = from.size() + 1;
    const auto columns = to.size() + 1;
    std::size_t row = 0;
    std::size_t column = 0;
    if (rows * columns <= most_cells) {
        std::vector<std::uint32_t> length(rows * columns);
        const auto at = [&](std::size_t i, std::size_t j) -> std::uint32_t& {
            return length[i * columns + j];
        };
        for (std::size_t i = from.size(); i-- > 0;) {
            for (std::size_t j = to.size(); j-- > 0;) {
                at(i, j) = from[i] == to[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
            }
        }
        while (row < from.size() && column < to.size()) {
            if (from[row] == to[column]) {
                edits.push_back({' ', from[row++]});
                ++column;
            } else if (at(row + 1, column) >= at(row, column + 1)) {
                edits.push_back({'-', from[row++]});
            } else {
                edits.push_back({'+', to[column++]});
            }
        }
    }
    while (row < from.size()) {
        edits.push_back({'-', from[row++]});
    }
    while (column < to.size()) {
        edits.push_back({'+', to[column++]});
    }
    return edits;
}

std::vector<Edit> all_edits(const Lines& from, const Lines& to) {
    std::size_t head = 0;
    while (head < from.size() && head < to.size() && from[head] == to[head]) {
        ++head;
    }
    std::size_t tail = 0;
    while (tail < from.size() - head && tail < to.size() - head &&
           from[from.size() - 1 - tail] == to[to.size() - 1 - tail]) {
        ++tail;
    }
    std::vector<Edit> edits;
    for (std::size_t i = 0; i < head; ++i) {
        edits.push_back({' ', from[i]});
    }
    const auto middle = [&](const Lines& lines) {
        return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                     lines.end() - static_cast<std::ptrdiff_t>(tail));
    };
    const auto changed = edits_between(middle(from), middle(to));
    edits.insert(edits.end(), changed.begin(), changed.end());
    for (std::size_t i = from.size() - tail; i < from.size(); ++i) {
        edits.push_back({' ', from[i]});
    }
    return edits;
}

/// `@@ -3,7 +3,6 @@`: the line number counts from one, and is that before for an empty range.
std::string range(std::size_t before, std::size_t count) {
    return count == 1 ? fmt::format("{}", before + 1)
                      : fmt::format("{},{}", count == 0 ? before : before + 1, count);
}

}  // namespace

std::string unified_diff(std::string_view expected, std::string_view found, const std::string& expected_name,
                         const std::string& found_name) {
    const auto edits = all_edits(lines_of(expected), lines_of(found));
    std::string text;
    std::size_t from = 0;  // lines of either before the edit at hand
    std::size_t to = 0;
    for (std::size_t i = 0; i < edits.size();) {
        std::size_t change = i;
        while (change < edits.size() && edits[change].kind == ' ') {
            ++change;
        }
        if (change == edits.size()) {
            break;
        }
        const std::size_t begin = change - i > context ? change - context : i;
        std::size_t end = change;
        for (std::size_t k = change; k < edits.size() && k < end + 2 * context + 1; ++k) {
            end = edits[k].kind == ' ' ? end : k + 1;
        }
        end = std::min(end + context, edits.size());
        from += begin - i;
        to += begin - i;
        std::string body;
        std::size_t removed = 0;
        std::size_t added = 0;
        for (std::size_t k = begin; k < end; ++k) {
            body += fmt::format("{}{}\n", edits[k].kind, edits[k].line);
            removed += edits[k].kind != '+' ? 1 : 0;
            added += edits[k].kind != '-' ? 1 : 0;
        }
        if (text.empty()) {
            text = fmt::format("--- {}\n+++ {}\n", expected_name, found_name);
        }
        text += fmt::format("@@ -{} +{} @@\n{}", range(from, removed), range(to, added), body);
        from += removed;
        to += added;
        i = end;
    }
    return text;
}

fs::path expected_output(const fs::path& script, const std::string& format, const std::string& cache_mode,
                         const std::string& machine) {
    std::vector<std::string> endings;
    if (cache_mode == "none") {
        endings.emplace_back(".out.nocache");
    }
    endings.push_back(".out." + format);
    if (!machine.empty()) {
        endings.push_back("." + machine + ".out");
    }
    for (const auto& ending : endings) {
        fs::path file = script;
        file += ending;
        std::error_code ignored;
        if (fs::is_regular_file(file, ignored)) {
            return file;
        }
    }
    fs::path file = script;
    file += ".out";
    return file;
}

}  // namespace vt::block
