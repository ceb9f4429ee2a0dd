// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/test_file.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/core.h>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 16;  // a link that leads upwards must not keep us busy for ever

/// A folder that may hold tests, and whose it is.
struct SearchDir {
    fs::path path;
    std::string provider;
};

bool holds_tests(const std::string& name) {
    return !name.starts_with('.') && name != "cfg" && name != "__pycache__" && name != "__init__";
}

/// \p dir and the folders below it, in the order of their names, none twice, whatever links lead to it.
void add_dirs(const fs::path& dir, const std::string& provider, int depth, std::vector<SearchDir>& found,
              std::set<fs::path>& seen) {
    std::error_code error;
    if (fs::path real = fs::canonical(dir, error); error || !seen.insert(real).second) {
        return;
    }
    found.push_back({dir, provider});
    if (depth == max_depth) {
        return;
    }
    std::vector<fs::path> below;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->is_directory(ignored) && holds_tests(entry->path().filename().string())) {
            below.push_back(entry->path());
        }
    }
    std::sort(below.begin(), below.end());
    for (const fs::path& path : below) {
        add_dirs(path, provider, depth + 1, found, seen);
    }
}

void add_dirs(const fs::path& dir, const std::string& provider, std::vector<SearchDir>& found) {
    std::set<fs::path> seen;
    add_dirs(dir, provider, 0, found, seen);
}

void add_sections(const Provider& provider, const std::vector<std::string>& types,
                  std::vector<SearchDir>& found) {
    for (const Section& section : provider.sections) {
        bool wanted = types.empty() || std::find(types.begin(), types.end(), section.type) != types.end();
        if (std::error_code error; wanted && fs::is_directory(section.subdir, error)) {
            add_dirs(section.subdir, provider.name, found);
        }
    }
}

/// `other_tests_dirs`: absolute, or beside the provider's folders; in each, `tests`.
void add_other_dirs(const Params& params, const std::vector<Provider>& providers,
                    std::vector<SearchDir>& found) {
    for (const std::string& word : params.get_list("other_tests_dirs")) {
        std::vector<fs::path> places;
        if (fs::path(word).is_absolute()) {
            places.emplace_back(word);
        } else {
            for (const Provider& provider : providers) {
                places.push_back(provider.root / word);
            }
        }
        for (const fs::path& place : places) {
            if (std::error_code error; fs::is_directory(place / "tests", error)) {
                add_dirs(place / "tests", {}, found);
            }
        }
    }
}

std::vector<SearchDir> search_dirs(const Params& params, const std::vector<Provider>& providers) {
    std::vector<SearchDir> found;
    add_other_dirs(params, providers, found);
    std::string name = params.get("provider");
    if (name.empty()) {
        for (const Provider& provider : providers) {
            add_sections(provider, {"generic", params.get("vm_type", "qemu")}, found);
        }
        return found;
    }
    auto provider =
        std::find_if(providers.begin(), providers.end(), [&](const Provider& p) { return p.name == name; });
    if (provider == providers.end()) {
        std::vector<std::string> names;
        names.reserve(providers.size());
        for (const Provider& known : providers) {
            names.push_back(known.name);
        }
        throw TestNotFoundError(
            fmt::format("The test's provider '{}' is not defined; there are {}. Was its file in "
                        "test-providers.d removed since 'vt-bootstrap' ran?",
                        name, join(names, ", ")));
    }
    std::error_code error;
    if (!fs::is_directory(provider->root, error)) {
        throw TestNotFoundError(
            fmt::format("The directory {} of test provider '{}' is not there; run 'avocado "
                        "vt-bootstrap' to fetch it, or correct {}",
                        provider->root.string(), name, provider->definition.string()));
    }
    add_sections(*provider, {}, found);
    return found;
}

/// What upstream puts on sys.path: the parent of each folder searched, later ones in front; and the test's
/// own folder.
std::vector<fs::path> python_path(const std::vector<SearchDir>& dirs, const fs::path& own) {
    std::vector<fs::path> result = {own};
    std::set<fs::path> seen = {own};
    for (auto dir = dirs.rbegin(); dir != dirs.rend(); ++dir) {
        fs::path parent = dir->path.parent_path();
        if (seen.insert(parent).second) {
            result.push_back(parent);
        }
    }
    return result;
}

std::vector<std::string> test_names(const std::vector<SearchDir>& dirs) {
    std::vector<std::string> names;
    for (const SearchDir& dir : dirs) {
        std::error_code error;
        for (fs::directory_iterator entry(dir.path, error), end; !error && entry != end;
             entry.increment(error)) {
            fs::path extension = entry->path().extension();
            if (extension == ".py" || extension == ".so") {
                names.push_back(entry->path().stem().string());
            }
        }
    }
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

TestNotFoundError not_found(const std::string& type, const std::vector<SearchDir>& dirs) {
    std::vector<std::string> places;
    for (const SearchDir& dir : dirs) {
        // The top of each tree says enough.
        bool below = std::any_of(places.begin(), places.end(), [&](const std::string& place) {
            return dir.path.string().starts_with(place + "/");
        });
        if (!below) {
            places.push_back(dir.path.string());
        }
    }
    std::vector<std::string> near = nearest(type, test_names(dirs));
    return TestNotFoundError(
        fmt::format("There is no test file {0}.py or {0}.so in {1}{2}", type,
                    places.empty() ? "any provider" : join(places, ", "),
                    near.empty() ? "" : fmt::format("; near it are {}", join(near, ", "))));
}

TestFile find_in(const std::string& type, const std::vector<SearchDir>& dirs) {
    // A word of `type` is a name, never a path: "../x" must not lead out of the provider.
    if (type.find('/') != std::string::npos || type.starts_with('.')) {
        throw TestNotFoundError(fmt::format("'{}' in the parameter 'type' is no test's name", type));
    }
    for (const SearchDir& dir : dirs) {
        for (auto [suffix, kind] :
             {std::pair(".so", TestFile::Kind::native), std::pair(".py", TestFile::Kind::python)}) {
            fs::path path = dir.path / (type + suffix);
            if (std::error_code error; fs::is_regular_file(path, error)) {
                return {type, path, kind, dir.provider, python_path(dirs, dir.path)};
            }
        }
    }
    throw not_found(type, dirs);
}

}  // namespace

TestFile find_test(const std::string& type, const Params& params, const std::vector<Provider>& providers) {
    return find_in(type, search_dirs(params, providers));
}

std::vector<TestFile> find_tests(const Params& params, const std::vector<Provider>& providers) {
    std::string words = params.at("type");
    std::vector<SearchDir> dirs = search_dirs(params, providers);
    std::vector<TestFile> result;
    for (const std::string& type : split_words(words)) {
        result.push_back(find_in(type, dirs));
    }
    if (result.empty()) {
        throw TestNotFoundError("The parameter 'type' is empty; it should name the test's file");
    }
    return result;
}

std::vector<TestFile> find_tests(const Params& params, const fs::path& data_dir,
                                 const fs::path& builtin_root) {
    return find_tests(params, load_providers(data_dir, builtin_root));
}

}  // namespace vt::providers
