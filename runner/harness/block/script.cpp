// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/script.hpp"

#include "runner/support/strings.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include <fmt/format.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t head_size = 4096;   ///< where the first line and the groups are
constexpr std::size_t longest = 1 << 20;  ///< no script is longer
constexpr std::string_view group_line = "# group:";

std::string first_bytes(const fs::path& file, std::size_t most) {
    std::ifstream stream(file, std::ios::binary);
    std::string text(most, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(most));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
    return text;
}

std::optional<Language> language_of(std::string_view head) {
    const auto first = head.substr(0, head.find('\n'));
    if (!first.starts_with("#!")) {
        return std::nullopt;
    }
    if (first.find("python3") != std::string_view::npos) {
        return Language::python;
    }
    return first.find("bash") != std::string_view::npos || first.ends_with("/sh")
               ? std::optional(Language::bash)
               : std::nullopt;
}

std::vector<std::string> groups_of(std::string_view head) {
    std::vector<std::string> groups;
    for (const auto& line : split(head, '\n')) {
        if (!line.starts_with(group_line)) {
            continue;
        }
        for (const auto& word : split_words(line.substr(group_line.size()))) {
            if (std::find(groups.begin(), groups.end(), word) == groups.end()) {
                groups.push_back(word);
            }
        }
    }
    return groups;
}

/// A line of a script that only a block test has.
bool uses_the_module(std::string_view text, Language language) {
    if (language == Language::bash) {
        return text.find("common.rc") != std::string_view::npos;
    }
    for (const auto& line : split(text, '\n')) {
        const auto words = split_words(line);
        if (words.size() >= 2 && (words[0] == "import" || words[0] == "from") &&
            line.find("iotests") != std::string::npos) {
            return true;
        }
    }
    return false;
}

/// Groups by name from a file of lines `NAME GROUP…` (QEMU before 6.0; group.local since).
std::map<std::string, std::vector<std::string>> group_file(const fs::path& file) {
    std::map<std::string, std::vector<std::string>> found;
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) {
        auto words = split_words(line.substr(0, line.find('#')));
        if (words.size() > 1) {
            const auto name = words.front();
            words.erase(words.begin());
            found[name] = std::move(words);
        }
    }
    return found;
}

void add_groups(std::vector<Script>& scripts, const fs::path& folder) {
    for (const auto* name : {"group", "group.local"}) {
        const auto groups = group_file(folder / name);
        for (auto& script : scripts) {
            const auto found = groups.find(script.name);
            if (found == groups.end()) {
                continue;
            }
            for (const auto& group : found->second) {
                if (!script.in_group(group)) {
                    script.groups.push_back(group);
                }
            }
        }
    }
}

std::vector<Script> scripts_of(const fs::path& folder) {
    std::vector<Script> found;
    std::error_code ignored;
    for (const auto& place : {folder, folder / "tests"}) {
        for (const auto& entry : fs::directory_iterator(place, ignored)) {
            const auto extension = entry.path().extension();
            if (entry.is_regular_file(ignored) && extension.empty()) {
                if (auto script = Script::read(entry.path())) {
                    found.push_back(std::move(*script));
                }
            }
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.file < b.file; });
    add_groups(found, folder);
    return found;
}

Script named(const std::string& name, const fs::path& folder, const std::vector<Script>& all) {
    for (const auto& path : {folder / name, folder / "tests" / name, fs::path(name)}) {
        std::error_code ignored;
        const auto whole = fs::absolute(path).lexically_normal();
        const auto known =
            std::find_if(all.begin(), all.end(), [&](const auto& script) { return script.file == whole; });
        if (known != all.end()) {
            return *known;
        }
        if (fs::is_regular_file(whole, ignored)) {
            if (auto script = Script::read(whole)) {
                return *script;
            }
            throw SelectionError(
                fmt::format("{} is no block test: its first line should name bash or python3, and it should "
                            "use common.rc or "
                            "import iotests",
                            whole.string()));
        }
    }
    std::vector<std::string> names;
    for (const auto& script : all) {
        names.push_back(script.name);
    }
    const auto near = nearest(name, names);
    throw SelectionError(fmt::format("there is no block test {} in {}{}", name, folder.string(),
                                     near.empty() ? std::string() : "; near it: " + join(near, ", ")));
}

bool wanted(const Script& script, const Selection& selection) {
    const auto in = [&](const std::string& group) { return script.in_group(group); };
    return (selection.groups.empty() || std::any_of(selection.groups.begin(), selection.groups.end(), in)) &&
           std::none_of(selection.excluded.begin(), selection.excluded.end(), in);
}

}  // namespace

std::optional<Script> Script::read(const fs::path& file) {
    const auto head = first_bytes(file, head_size);
    const auto language = language_of(head);
    if (!language) {
        return std::nullopt;
    }
    auto groups = groups_of(head);
    if (!uses_the_module(head, *language) && !uses_the_module(first_bytes(file, longest), *language)) {
        return std::nullopt;
    }
    return Script{fs::absolute(file).lexically_normal(), file.filename().string(), *language,
                  std::move(groups)};
}

bool Script::in_group(std::string_view group) const {
    return std::find(groups.begin(), groups.end(), group) != groups.end();
}

std::vector<Script> select_scripts(const fs::path& folder, const Selection& selection) {
    const auto all = scripts_of(folder);
    std::vector<Script> found;
    if (selection.names.empty()) {
        std::copy_if(all.begin(), all.end(), std::back_inserter(found),
                     [&](const auto& script) { return wanted(script, selection); });
    } else {
        std::set<fs::path> seen;
        for (const auto& name : selection.names) {
            auto script = named(name, folder, all);
            if (wanted(script, selection) && seen.insert(script.file).second) {
                found.push_back(std::move(script));
            }
        }
    }
    if (!selection.start_from.empty()) {
        const auto first = named(selection.start_from, folder, all);
        const auto at = std::find_if(found.begin(), found.end(),
                                     [&](const auto& script) { return script.file == first.file; });
        if (at == found.end()) {
            throw SelectionError(selection.start_from + " is not among the selected tests");
        }
        found.erase(found.begin(), at);
    }
    if (found.empty()) {
        throw SelectionError(fmt::format("no block test is selected in {}", folder.string()));
    }
    return found;
}

}  // namespace vt::block
