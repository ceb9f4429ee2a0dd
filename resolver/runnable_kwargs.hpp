// SPDX-License-Identifier: GPL-2.0-or-later
/// \file runnable_kwargs.hpp
/// What a small runnable carries from the resolver to task-run: the plugin passes it through Avocado unread.
///
/// Keyword arguments `selection` (an object, selection.hpp) and `full_name`. A runnable without `selection`
/// is fat: its keyword arguments are the parameters themselves, as upstream's recipes have them.
#pragma once

#include "resolver/selection.hpp"

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace vt::resolver {

/// The parsed keyword arguments of a small runnable.
struct SmallRunnable {
    Selection selection;
    std::string full_name;  ///< may be empty: then the uri names the test
};

/// The keyword arguments as a JSON object; nothing if they have no `selection`, that is if the runnable is
/// fat. Throws SelectionError if `selection` is broken.
std::optional<SmallRunnable> small_runnable(const nlohmann::json& kwargs);

}  // namespace vt::resolver
