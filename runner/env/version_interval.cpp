// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/version_interval.hpp"

#include "runner/support/error.hpp"
#include "runner/support/strings.hpp"

#include <vector>

#include <fmt/core.h>

namespace vt {

namespace {

std::vector<unsigned long> numbers_of(std::string_view version) {
    std::vector<unsigned long> numbers;
    bool in_number = false;
    for (const char c : version) {
        if (c >= '0' && c <= '9') {
            if (!in_number) {
                numbers.push_back(0);
            }
            in_number = true;
            numbers.back() = numbers.back() * 10 + static_cast<unsigned long>(c - '0');
        } else if (c == '.' && in_number) {
            in_number = false;
        } else {
            break;
        }
    }
    return numbers;
}

}  // namespace

int compare_versions(std::string_view a, std::string_view b) {
    auto left = numbers_of(a);
    auto right = numbers_of(b);
    const auto length = std::max(left.size(), right.size());
    left.resize(length);
    right.resize(length);
    return left < right ? -1 : left > right ? 1 : 0;
}

VersionInterval VersionInterval::parse(std::string_view text) {
    text = trim(text);
    const bool bracketed = text.size() >= 3 && (text.front() == '[' || text.front() == '(') &&
                           (text.back() == ']' || text.back() == ')');
    const auto parts = bracketed ? split(text.substr(1, text.size() - 2), ',') : std::vector<std::string>{};
    if (parts.size() != 2) {
        throw Error(fmt::format(
            "\"{}\" is no interval of versions; wanted is, for instance, [6.2.0, ) or [5.0, 7.0)", text));
    }
    VersionInterval interval;
    interval.lower_ = trim(parts[0]);
    interval.upper_ = trim(parts[1]);
    interval.lower_included_ = text.front() == '[';
    interval.upper_included_ = text.back() == ']';
    return interval;
}

bool VersionInterval::contains(std::string_view version) const {
    if (!lower_.empty()) {
        const int order = compare_versions(version, lower_);
        if (order < 0 || (order == 0 && !lower_included_)) {
            return false;
        }
    }
    if (!upper_.empty()) {
        const int order = compare_versions(version, upper_);
        if (order > 0 || (order == 0 && !upper_included_)) {
            return false;
        }
    }
    return true;
}

}  // namespace vt
