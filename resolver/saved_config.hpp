// SPDX-License-Identifier: GPL-2.0-or-later
/// \file saved_config.hpp
/// `--vt-save-config`: what options, settings and references selected, as a config file for `--vt-config`.
///
/// The file starts with an `include` of the test set and goes on with every filter and every assignment, as
/// upstream's does. Upstream leaves the references out and writes the file anew for each of them; here it is
/// written once, and selects what the references found.
#pragma once

#include "resolver/resolver.hpp"
#include "resolver/selection.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt::resolver {

/// The path in the setting `vt.save_config`, if one is given. Throws SelectionError if it is no text.
std::optional<std::filesystem::path> saved_config_path(const nlohmann::json& settings);

/// The text of the file. \p references are an OR; none means all tests. Throws SelectionError.
std::string saved_config(const Selection& selection, const std::vector<std::string>& references);

/// Writes the file, unless no reference found a test. Throws SelectionError if it cannot be written.
void save_config(const std::filesystem::path& path, const Selection& selection,
                 const std::vector<Resolution>& resolutions);

}  // namespace vt::resolver
