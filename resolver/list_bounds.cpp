// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/list_bounds.hpp"

#include "resolver/setting_errors.hpp"

#include <charconv>
#include <string>

#include <nlohmann/json.hpp>

namespace vt::resolver {

std::size_t list_limit_from_settings(const nlohmann::json& settings) {
    const auto found = settings.find("vt.list.limit");
    if (found == settings.end() || found->is_null()) {
        return ListBounds().limit;
    }
    const std::string text = found->is_string() ? found->get<std::string>() : found->dump();
    std::size_t limit = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (read.ec != std::errc() || read.ptr != text.data() + text.size() || limit == 0) {
        throw bad_value("list.limit", text, "expected how many tests a list may have, as in 1000000");
    }
    return limit;
}

}  // namespace vt::resolver
