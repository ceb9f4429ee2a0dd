// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/size_value.hpp"

#include "cfg/unicode.hpp"

#include <charconv>
#include <cmath>

namespace vt::cfg {
namespace {

constexpr std::string_view size_letters = "BbKkMmGgTt";

/// The text without the `_` that Python allows between digits; nothing if one stands elsewhere.
std::optional<std::string> without_underscores(std::string_view text) {
    const auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            result += text[i];
        } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
            return std::nullopt;
        }
    }
    return result;
}

/// Bytes of a size, bare numbers being MiB.
std::optional<double> parse_size(std::string_view text) {
    if (text.empty()) {
        return std::nullopt;
    }
    double unit = 1024.0 * 1024.0;
    const std::size_t letter = size_letters.find(text.back());
    if (letter != std::string_view::npos) {
        unit = std::pow(1024.0, static_cast<double>(letter / 2));
        text.remove_suffix(1);
    }
    const auto number = parse_python_float(text);
    if (!number || !std::isfinite(*number * unit)) {
        return std::nullopt;
    }
    return std::trunc(*number * unit);
}

int compare_digits(const std::string& left, const std::string& right) {
    const bool left_negative = left.front() == '-';
    const bool right_negative = right.front() == '-';
    if (left_negative != right_negative) {
        return left_negative ? -1 : 1;
    }
    int order = left.size() != right.size() ? (left.size() < right.size() ? -1 : 1) : left.compare(right);
    order = order < 0 ? -1 : (order > 0 ? 1 : 0);
    return left_negative ? -order : order;
}

}  // namespace

std::optional<double> parse_python_float(std::string_view text) {
    const auto clean = without_underscores(unicode::strip(text));
    if (!clean || clean->empty()) {
        return std::nullopt;
    }
    const char* begin = clean->data();
    const char* end = begin + clean->size();
    if (*begin == '+' && clean->size() > 1 && clean->at(1) != '-') {
        ++begin;
    }
    double result = 0;
    const auto [stop, error] = std::from_chars(begin, end, result);
    if (stop != end || (error != std::errc() && error != std::errc::result_out_of_range) ||
        clean->find('(') != std::string::npos) {
        return std::nullopt;
    }
    return error == std::errc::result_out_of_range ? std::strtod(begin, nullptr) : result;
}

std::optional<std::string> parse_python_int(std::string_view text) {
    auto clean = without_underscores(unicode::strip(text));
    if (!clean || clean->empty()) {
        return std::nullopt;
    }
    const bool negative = clean->front() == '-';
    std::string digits = clean->substr(negative || clean->front() == '+' ? 1 : 0);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
    }
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
    return negative && digits != "0" ? "-" + digits : digits;
}

std::optional<int> compare_sizes(std::string_view left, std::string_view right) {
    if (left.find_first_of(size_letters) != std::string_view::npos ||
        right.find_first_of(size_letters) != std::string_view::npos) {
        const auto first = parse_size(left);
        const auto second = parse_size(right);
        if (!first || !second) {
            return std::nullopt;
        }
        return *first < *second ? -1 : (*first > *second ? 1 : 0);
    }
    const auto first = parse_python_int(left);
    const auto second = parse_python_int(right);
    if (!first || !second) {
        return std::nullopt;
    }
    return compare_digits(*first, *second);
}

}  // namespace vt::cfg
