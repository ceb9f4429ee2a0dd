// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/saved_config.hpp"

#include "resolver/setting_errors.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::resolver {

using cfg::Input;

std::optional<std::filesystem::path> saved_config_path(const nlohmann::json& settings) {
    const auto found = settings.find("vt.save_config");
    if (found == settings.end() || found->is_null()) {
        return std::nullopt;
    }
    if (!found->is_string()) {
        throw bad_value("save_config", found->dump(), "expected the path of a file");
    }
    const auto& path = found->get_ref<const std::string&>();
    return path.empty() ? std::nullopt : std::optional<std::filesystem::path>(path);
}

std::string saved_config(const Selection& selection, const std::vector<std::string>& references) {
    std::string includes;
    std::string only;
    std::string no;
    std::string assignments;
    for (const Input& input : inputs(selection)) {
        switch (input.kind) {
            case Input::Kind::file:
                includes += fmt::format("include {}\n", input.text);
                break;
            case Input::Kind::only:
                only += fmt::format("only {}\n", input.text);
                break;
            case Input::Kind::no:
                no += fmt::format("no {}\n", input.text);
                break;
            case Input::Kind::assign:
                assignments += fmt::format("{} = {}\n", input.text, input.value);
                break;
            case Input::Kind::text:
                throw SelectionError("A selection has no statements of free form");
        }
    }
    if (!references.empty()) {
        only += fmt::format("only {}\n", join(references, ", "));
    }
    return includes + only + no + assignments;
}

void save_config(const std::filesystem::path& path, const Selection& selection,
                 const std::vector<Resolution>& resolutions) {
    std::vector<std::string> references;
    bool all = false;
    bool found = false;
    for (const Resolution& resolution : resolutions) {
        if (!resolution.tests.empty()) {
            found = true;
            all = all || resolution.reference.empty();
            references.push_back(resolution.reference);
        }
    }
    if (!found) {
        return;
    }
    // Not by way of a temporary file and a rename: the path may be a device or a pipe.
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << saved_config(selection, all ? std::vector<std::string>() : references) << std::flush;
    if (!file) {
        throw bad_value("save_config", path.string(),
                        fmt::format("writing it failed: {}", std::strerror(errno)));
    }
}

}  // namespace vt::resolver
