// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/runnable_kwargs.hpp"

#include <nlohmann/json.hpp>

namespace vt::resolver {

using nlohmann::json;

std::optional<SmallRunnable> small_runnable(const json& kwargs) {
    auto selection = kwargs.find("selection");
    if (selection == kwargs.end()) {
        return std::nullopt;
    }
    SmallRunnable result;
    result.selection = selection_from_json(*selection);
    if (auto name = kwargs.find("full_name"); name != kwargs.end()) {
        if (!name->is_string()) {
            throw SelectionError("A test's 'full_name' is no text");
        }
        result.full_name = name->get<std::string>();
    }
    return result;
}

}  // namespace vt::resolver
