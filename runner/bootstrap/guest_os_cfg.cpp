// SPDX-License-Identifier: GPL-2.0-or-later
#include "cfg/parser.hpp"
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <map>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 16;
constexpr int step = 4;
constexpr std::size_t max_bytes = std::size_t{1} << 20;  // of one definition

/// A folder of guest definitions, merged from several trees.
struct Folder {
    std::map<std::string, std::vector<std::string>> files;  ///< name without .cfg → lines that say something
    std::map<std::string, Folder> folders;
};

bool is_comment(std::string_view line) {
    std::string_view text = trim(line);
    return text.starts_with("#") || text.starts_with("//");
}

/// Why \p lines are no definition of a guest; empty if they are one.
std::string why_not(const std::vector<std::string>& lines) {
    auto first = std::find_if_not(lines.begin(), lines.end(), [](const std::string& line) {
        return trim(line).empty() || is_comment(line);
    });
    if (first == lines.end()) {
        return "it has nothing but comments";
    }
    if (!first->starts_with("- ")) {
        return fmt::format("expected '- NAME:' at the beginning of a line, found '{}'", *first);
    }
    std::string text = "variants:\n";
    for (const std::string& line : lines) {
        text += fmt::format("{:{}}{}\n", "", step, line);
    }
    try {
        cfg::parse({cfg::Input::string(text)});
    } catch (const cfg::ParserError& error) {
        const cfg::ErrorReport& report = error.report();
        return fmt::format("line {}: {} in '{}'{}", report.where.line - 1, report.message, report.line,
                           report.expected.empty() ? "" : "; expected is " + report.expected);
    }
    return {};
}

/// What somebody else wrote is taken only if it can be: one broken file must not cost all guests.
void take_file(const fs::path& path, bool shipped, Folder& into) {
    std::string reason;
    try {
        std::vector<std::string> lines = split(read_file(path, max_bytes), '\n');
        reason = shipped ? std::string() : why_not(lines);
        if (reason.empty()) {
            std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
            into.files[path.stem().string()] = std::move(lines);
            return;
        }
    } catch (const Error& error) {
        reason = error.what();
    }
    log::warning("Leaving out the guest definition {}: {}", path.string(), reason);
}

void merge(const fs::path& dir, bool shipped, Folder& into, int depth) {
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.')) {
            continue;
        }
        if (entry->is_directory(ignored)) {
            if (depth < max_depth) {
                merge(entry->path(), shipped, into.folders[name], depth + 1);
            }
        } else if (entry->path().extension() == ".cfg" && entry->is_regular_file(ignored)) {
            take_file(entry->path(), shipped, into);
        }
    }
}

/// True if \p name is A.B, and the definition of A in \p folder has a variant B.
bool is_variant_of_a_file(const Folder& folder, const std::string& name) {
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        auto file = folder.files.find(name.substr(0, dot));
        if (file == folder.files.end()) {
            continue;
        }
        std::string header = "- " + name.substr(dot + 1) + ":";
        const std::vector<std::string>& lines = file->second;
        if (std::any_of(lines.begin(), lines.end(),
                        [&](const std::string& line) { return trim(line) == header; })) {
            return true;
        }
    }
    return false;
}

/// Adds what \p into lacks. A guest that it has in any shape (a file with variants, a folder of files) stays.
void fill_in(Folder& into, const Folder& more) {
    std::map<std::string, const Folder*> names;
    for (const auto& [name, lines] : more.files) {
        names[name] = nullptr;
    }
    for (const auto& [name, below] : more.folders) {
        names[name] = &below;
    }
    for (const auto& [name, below] : names) {
        auto file = more.files.find(name);
        auto own_folder = into.folders.find(name);
        bool own_file = into.files.contains(name);
        if (own_folder != into.folders.end() && below != nullptr) {
            if (!own_file && file != more.files.end()) {
                into.files[name] = file->second;
            }
            fill_in(own_folder->second, *below);
        } else if (!own_file && own_folder == into.folders.end() && !is_variant_of_a_file(into, name)) {
            if (file != more.files.end()) {
                into.files[name] = file->second;
            }
            if (below != nullptr) {
                into.folders[name] = *below;
            }
        }
    }
}

bool has_guests(const Folder& folder) {
    return !folder.files.empty() || !folder.folders.empty();
}

/// The variants block of \p folder, whose lines begin at column \p indent.
void add_folder(const Folder& folder, int indent, std::string& out) {
    if (!has_guests(folder)) {
        return;
    }
    out += fmt::format("{:{}}variants:\n", "", indent);
    std::map<std::string, const Folder*> names;
    for (const auto& [name, lines] : folder.files) {
        names[name] = nullptr;
    }
    for (const auto& [name, below] : folder.folders) {
        names[name] = &below;
    }
    for (const auto& [name, below] : names) {
        if (auto file = folder.files.find(name); file != folder.files.end()) {
            for (const std::string& line : file->second) {
                out += fmt::format("{:{}}{}\n", "", indent + step, line);
            }
        } else {
            out += fmt::format("{:{}}- {}:\n", "", indent + step, name);
        }
        if (below != nullptr) {
            add_folder(*below, indent + 2 * step, out);
        }
    }
}

}  // namespace

std::string guest_os_text(const GuestTrees& trees) {
    Folder top;
    merge(trees.shipped, true, top, 0);
    for (const fs::path& tree : trees.drop_ins) {
        merge(tree, false, top, 0);
    }
    Folder imported;
    merge(trees.imported, false, imported, 0);
    fill_in(top, imported);
    std::string text =
        "# Made by vt-bootstrap from the guest definitions; put your own below guest-os/ instead.\n"
        "variants:\n    - Guest:\n";
    add_folder(top, 2 * step, text);
    return text;
}

}  // namespace vt::bootstrap
