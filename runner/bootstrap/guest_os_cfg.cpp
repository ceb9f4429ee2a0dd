// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/bootstrap/generated_cfg.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <map>

#include <fmt/core.h>

namespace vt::bootstrap {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 16;
constexpr int step = 4;

/// A folder of guest definitions, merged from all roots.
struct Folder {
    std::map<std::string, fs::path> files;  ///< name without .cfg → file
    std::map<std::string, Folder> folders;
};

void merge(const fs::path& dir, Folder& into, int depth) {
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.')) {
            continue;
        }
        if (entry->is_directory(ignored)) {
            if (depth < max_depth) {
                merge(entry->path(), into.folders[name], depth + 1);
            }
        } else if (entry->path().extension() == ".cfg" && entry->is_regular_file(ignored)) {
            into.files[entry->path().stem().string()] = entry->path();
        }
    }
}

void add_file(const fs::path& file, int indent, std::string& out) {
    for (const std::string& line : split(read_file(file), '\n')) {
        if (trim(line).empty()) {
            continue;
        }
        out.append(static_cast<std::size_t>(indent), ' ');
        out += line;
        out += '\n';
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
    for (const auto& [name, file] : folder.files) {
        names[name] = nullptr;
    }
    for (const auto& [name, below] : folder.folders) {
        names[name] = &below;
    }
    for (const auto& [name, below] : names) {
        if (auto file = folder.files.find(name); file != folder.files.end()) {
            add_file(file->second, indent + step, out);
        } else {
            out += fmt::format("{:{}}- {}:\n", "", indent + step, name);
        }
        if (below != nullptr) {
            add_folder(*below, indent + 2 * step, out);
        }
    }
}

}  // namespace

std::string guest_os_text(const std::vector<fs::path>& roots) {
    Folder top;
    for (const fs::path& root : roots) {
        merge(root, top, 0);
    }
    std::string text =
        "# Made by vt-bootstrap from the guest definitions; put your own below guest-os/ instead.\n"
        "variants:\n    - Guest:\n";
    add_folder(top, 2 * step, text);
    return text;
}

}  // namespace vt::bootstrap
