// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/provider.hpp"

#include "providers/git_uri.hpp"
#include "providers/ini.hpp"
#include "runner/support/home.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <map>

#include <fmt/core.h>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

/// Every section name that a definition may have beside `provider`.
std::vector<std::string> section_names() {
    std::vector<std::string> names = {"generic", "multi_host_migration"};
    names.insert(names.end(), known_types().begin(), known_types().end());
    return names;
}

/// \p subdir below \p root; what leads out of it is refused, as a definition comes from anywhere.
fs::path subdir_of(const fs::path& root, const std::string& subdir, const fs::path& ini) {
    fs::path relative = fs::path(subdir).lexically_normal();
    if (relative.is_absolute() || (!relative.empty() && *relative.begin() == "..")) {
        throw ProviderError(fmt::format("{}: subdir '{}' must be a folder below the provider's directory",
                                        ini.string(), subdir));
    }
    fs::path result = (root / relative).lexically_normal();
    return result.filename().empty() ? result.parent_path() : result;
}

std::vector<std::string> comma_list(const std::string& text) {
    std::vector<std::string> result;
    for (const std::string& part : split(text, ',')) {
        if (auto name = trim(part); !name.empty()) {
            result.emplace_back(name);
        }
    }
    return result;
}

/// A regular name of a provider is one label or several of the Cartesian language, as it becomes part of test
/// names.
void check_name(const std::string& name, const fs::path& ini) {
    bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c >= 0x80;
    });
    if (!good) {
        throw ProviderError(
            fmt::format("{}: '{}' cannot be a provider's name, which may have letters, digits, '-' and '_'",
                        ini.string(), name));
    }
}

void check_uri(const std::string& uri, const fs::path& ini) {
    try {
        checked_git_uri(uri);
    } catch (const ProviderError& error) {
        throw ProviderError(fmt::format("{}: uri: {}", ini.string(), error.what()));
    }
}

std::vector<std::string> unknown_sections(const Ini& ini) {
    std::vector<std::string> known = section_names();
    std::vector<std::string> result = ini.sections();
    std::erase_if(result, [&](const std::string& name) {
        return name == "provider" || std::find(known.begin(), known.end(), name) != known.end();
    });
    return result;
}

/// The definitions in \p dir in the order of their names.
std::vector<fs::path> definitions_in(const fs::path& dir) {
    std::vector<fs::path> files;
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        if (entry->path().extension() == ".ini") {
            files.push_back(entry->path());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

/// Where the checkout of the provider \p name is: an older data directory, or one that was made by the user's
/// guide, may have it at its top.
fs::path downloads_with(const fs::path& data_dir, const std::string& name) {
    fs::path usual = downloads_dir(data_dir);
    fs::path top = data_dir / "test-providers.d" / "downloads";
    std::error_code error;
    return !fs::exists(usual / name, error) && fs::exists(top / name, error) ? top : usual;
}

}  // namespace

bool same_definition(const Provider& one, const Provider& other) {
    Provider copy = one;
    copy.definition = other.definition;
    return copy == other;
}

const std::vector<std::string>& known_types() {
    static const std::vector<std::string> types = {"qemu", "libvirt", "libguestfs", "openvswitch",
                                                   "v2v",  "lvsb",    "spice",      "virttools"};
    return types;
}

bool Provider::in_place() const {
    return builtin || file_uri_path(uri).has_value();
}

const Section* Provider::section(std::string_view type) const {
    auto found =
        std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.type == type; });
    return found == sections.end() ? nullptr : &*found;
}

std::vector<fs::path> definition_dirs(const fs::path& data_dir) {
    return {data_dir / "virttest" / "test-providers.d", data_dir / "test-providers.d"};
}

fs::path downloads_dir(const fs::path& data_dir) {
    return data_dir / "virttest" / "test-providers.d" / "downloads";
}

std::optional<fs::path> file_uri_path(const std::string& uri) {
    constexpr std::string_view scheme = "file://";
    if (!uri.starts_with(scheme)) {
        return std::nullopt;
    }
    fs::path path = expand_home(uri.substr(scheme.size()));
    // The document writes file://usr/share/tests for /usr/share/tests.
    return path.is_absolute() ? path : fs::path("/") / path;
}

Provider read_definition(const fs::path& ini_path, const fs::path& downloads) {
    Provider provider;
    provider.definition = ini_path;
    std::string file_name = ini_path.filename().string();
    provider.name = file_name.substr(0, file_name.find('.'));
    check_name(provider.name, ini_path);
    try {
        Ini ini = Ini::read(ini_path);
        provider.ignored = unknown_sections(ini);
        provider.uri = ini.get("provider", "uri").value_or("");
        if (provider.uri.empty()) {
            throw ProviderError(fmt::format(
                "{}: expected a key 'uri' in a section [provider], as in 'uri: file:///usr/share/tests'",
                ini_path.string()));
        }
        provider.branch = ini.get("provider", "branch").value_or("");
        provider.ref = ini.get("provider", "ref").value_or("");
        if (std::string key = ini.get("provider", "pubkey").value_or(""); !key.empty()) {
            provider.pubkey = (fs::absolute(ini_path).parent_path() / expand_home(key)).lexically_normal();
        }
        if (!provider.in_place()) {
            check_uri(provider.uri, ini_path);
        }
        provider.root = file_uri_path(provider.uri).value_or(downloads / provider.name).lexically_normal();
        for (const std::string& type : section_names()) {
            std::optional<std::string> subdir = ini.get(type, "subdir");
            if (!subdir) {
                continue;
            }
            provider.sections.push_back({type, subdir_of(provider.root, *subdir, ini_path),
                                         comma_list(ini.get(type, "configs").value_or(""))});
        }
    } catch (const IniError& error) {
        throw ProviderError(error.what());
    }
    return provider;
}

Provider builtin_provider(const fs::path& root) {
    Provider provider;
    provider.name = "builtin";
    provider.root = root;
    provider.builtin = true;
    for (const std::string& type : section_names()) {
        if (std::error_code error; fs::is_directory(root / type, error)) {
            provider.sections.push_back({type, root / type, {}});
        }
    }
    return provider;
}

std::vector<Provider> load_providers(const fs::path& data_dir, const fs::path& builtin_root) {
    std::map<std::string, Provider> by_name;
    for (const fs::path& dir : definition_dirs(data_dir)) {
        std::map<std::string, fs::path> here;
        for (const fs::path& file : definitions_in(dir)) {
            std::string file_name = file.filename().string();
            std::string name = file_name.substr(0, file_name.find('.'));
            if (auto [first, added] = here.try_emplace(name, file); !added) {
                log::warning(
                    "Leaving out a test provider: {} and {} both define '{}' (a name ends at the first dot)",
                    file.string(), first->second.string(), name);
                continue;
            }
            by_name.erase(name);  // even a broken one of the user's stands for the shipped one
            try {
                by_name[name] = read_definition(file, downloads_with(data_dir, name));
            } catch (const Error& problem) {
                log::warning("Leaving out a test provider: {}", problem.what());
            }
        }
    }
    std::vector<Provider> result;
    result.reserve(by_name.size() + 1);
    for (auto& [name, provider] : by_name) {
        result.push_back(std::move(provider));
    }
    result.push_back(builtin_provider(builtin_root));
    return result;
}

}  // namespace vt::providers
