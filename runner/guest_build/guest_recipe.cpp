// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/guest_build/guest_recipe.hpp"

#include "runner/guest_build/guest_image.hpp"
#include "runner/guest_build/guest_libraries.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>

#include <fmt/core.h>

namespace vt::bootstrap {
namespace {

namespace fs = std::filesystem;

/// To be raised when this code makes something else of the same texts.
constexpr int builder_version = 1;

constexpr std::size_t text_limit = std::size_t{1} << 20;

/// All texts of the recipe by path; what editors and package tools leave beside them does not count.
std::map<std::string, std::string> read_tree(const fs::path& dir) {
    std::error_code failed;
    if (!fs::is_directory(dir, failed)) {
        throw GuestImageError(
            fmt::format("the guest's recipe is not at {}: is the program installed whole?", dir.string()));
    }
    std::map<std::string, std::string> texts;
    for (const auto& entry : fs::recursive_directory_iterator(dir)) {
        const auto name = entry.path().filename().string();
        if (entry.is_regular_file() && !name.starts_with(".") && !name.ends_with("~")) {
            texts[entry.path().lexically_relative(dir).string()] = read_file(entry.path(), text_limit);
        }
    }
    return texts;
}

std::vector<std::string> words_of(const std::vector<std::string>& lines) {
    std::vector<std::string> words;
    for (const auto& line : lines) {
        for (auto& word : split_words(line)) {
            words.push_back(std::move(word));
        }
    }
    return words;
}

}  // namespace

std::vector<std::string> recipe_lines(std::string_view text) {
    std::vector<std::string> lines;
    for (const auto& line : split(text, '\n')) {
        const auto content = trim(std::string_view(line).substr(0, line.find('#')));
        if (!content.empty()) {
            lines.emplace_back(content);
        }
    }
    return lines;
}

PackageChoice parse_package_choice(std::string_view line) {
    PackageChoice choice;
    constexpr std::string_view kernel = "kernel:";
    if (line.starts_with(kernel)) {
        choice.is_kernel = true;
        line.remove_prefix(kernel.size());
    }
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    for (const auto& part : split(line, '|')) {
        const auto name = trim(part);
        // Names go on apt's command line, where one that starts with "-" would be an option.
        if (name.size() < 2 || name.find_first_not_of(allowed) != std::string_view::npos ||
            name.find_first_of("+-.") == 0) {
            throw GuestImageError(
                fmt::format("packages.txt: \"{}\" in the line \"{}\" is no package name", name, line));
        }
        choice.names.emplace_back(name);
    }
    return choice;
}

bool matches_path(std::string_view pattern, std::string_view path) {
    if (pattern.starts_with("**")) {
        for (std::size_t i = 0; i <= path.size(); ++i) {
            if (matches_path(pattern.substr(2), path.substr(i))) {
                return true;
            }
        }
        return false;
    }
    if (pattern.starts_with("*")) {
        for (std::size_t i = 0; i <= path.size(); ++i) {
            if (matches_path(pattern.substr(1), path.substr(i))) {
                return true;
            }
            if (i < path.size() && path[i] == '/') {
                return false;
            }
        }
        return false;
    }
    if (pattern.empty() || path.empty()) {
        return pattern.empty() && path.empty();
    }
    return pattern.front() == path.front() && matches_path(pattern.substr(1), path.substr(1));
}

GuestRecipe load_guest_recipe(const fs::path& dir) {
    auto texts = read_tree(dir);
    auto all = fmt::format("builder {}\n{}\n", builder_version, guest_image_password);
    for (const auto& [path, text] : texts) {
        all += fmt::format("{} {}\n", path, text.size()) + text;
    }
    const auto part = [&](const std::string& name) {
        const auto found = texts.find(name);
        if (found == texts.end()) {
            throw GuestImageError(fmt::format("the guest's recipe lacks {}", (dir / name).string()));
        }
        return found->second;
    };

    GuestRecipe recipe;
    recipe.digest = sha256_text(all);
    for (const auto& line : recipe_lines(part("packages.txt"))) {
        recipe.packages.push_back(parse_package_choice(line));
    }
    recipe.files = recipe_lines(part("files.txt"));
    recipe.modules = words_of(recipe_lines(part("modules.txt")));
    recipe.initramfs_modules = words_of(recipe_lines(part("initramfs-modules.txt")));
    recipe.unused_modules = words_of(recipe_lines(part("modules-unused.txt")));
    recipe.kernel_arguments = fmt::format("root=LABEL={} {}", guest_root_label,
                                          join(recipe_lines(part("kernel-arguments.txt")), " "));
    const auto fill = [&](std::string text) {
        text = replace_all(std::move(text), "@ROOT_LABEL@", guest_root_label);
        return replace_all(std::move(text), "@KERNEL_ARGUMENTS@", recipe.kernel_arguments);
    };
    recipe.syslinux_config = fill(part("syslinux.cfg"));
    recipe.initramfs_init = fill(part("initramfs/init"));
    constexpr std::string_view rootfs = "rootfs/";
    for (const auto& [path, text] : texts) {
        if (path.starts_with(rootfs)) {
            recipe.rootfs[path.substr(rootfs.size())] = fill(text);
        }
    }
    return recipe;
}

}  // namespace vt::bootstrap
