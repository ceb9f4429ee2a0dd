// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/result.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace vt::nrunner {
namespace {

constexpr std::array<std::string_view, 7> names{"pass",   "fail", "error",      "skip",
                                                "cancel", "warn", "interrupted"};

}  // namespace

std::string_view status_name(Status status) {
    return names.at(static_cast<std::size_t>(status));
}

std::optional<Status> status_from_name(std::string_view name) {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    const auto* found = std::find(names.begin(), names.end(), lower);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<Status>(found - names.begin());
}

}  // namespace vt::nrunner
