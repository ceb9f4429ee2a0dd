// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_modules.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;

std::string normalized(std::string_view name) {
    std::string result(name);
    std::replace(result.begin(), result.end(), '-', '_');
    return result;
}

/// The module's name, from "kernel/drivers/net/virtio_net.ko".
std::string module_name(std::string_view path) {
    path.remove_prefix(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
    return normalized(path.substr(0, path.find(".ko")));
}

bool is_clean(std::string_view path) {
    return !path.empty() && !path.starts_with("/") && path.find("..") == std::string_view::npos &&
           path.find(".ko") != std::string_view::npos;
}

}  // namespace

ModuleIndex::ModuleIndex(std::string_view modules_dep) {
    for (const auto& line : split(modules_dep, '\n')) {
        if (trim(line).empty()) {
            continue;
        }
        const auto colon = line.find(':');
        const auto path = line.substr(0, colon);
        auto needed = colon == std::string::npos ? std::vector<std::string>()
                                                 : split_words(std::string_view(line).substr(colon + 1));
        if (colon == std::string::npos || !is_clean(path) ||
            !std::all_of(needed.begin(), needed.end(), is_clean)) {
            throw GuestImageError(fmt::format("modules.dep has a line that cannot be: \"{}\"", line));
        }
        path_of_[module_name(path)] = path;
        needs_[path] = std::move(needed);
    }
}

std::set<std::string> ModuleIndex::closure(const std::vector<std::string>& wanted) const {
    std::set<std::string> chosen;
    const auto choose = [&](const std::string& path) {
        chosen.insert(path);
        const auto& needed = needs_.at(path);
        chosen.insert(needed.begin(), needed.end());
    };
    for (const auto& name : wanted) {
        bool found = false;
        if (name.ends_with("/")) {
            const auto prefix = "kernel/" + name;
            for (auto it = needs_.lower_bound(prefix); it != needs_.end() && it->first.starts_with(prefix);
                 ++it) {
                choose(it->first);
                found = true;
            }
        } else if (const auto path = path_of_.find(normalized(name)); path != path_of_.end()) {
            choose(path->second);
            found = true;
        }
        if (!found) {
            log::debug("guest image: this kernel has no module {}", name);
        }
    }
    return chosen;
}

void link_modules(const fs::path& from, const std::set<std::string>& paths, const fs::path& to) {
    for (const auto& path : paths) {
        fs::create_directories((to / path).parent_path());
        fs::create_hard_link(from / path, to / path);
    }
    for (const char* list : {"modules.order", "modules.builtin", "modules.builtin.modinfo"}) {
        if (fs::exists(from / list)) {
            fs::copy_file(from / list, to / list);
        }
    }
}

}  // namespace vt::bootstrap
