// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What the guest is made of: the texts under share/guest-image, read and digested.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// A package by the names that it has in different releases, the preferred one first.
struct PackageChoice {
    std::vector<std::string> names;
    bool is_kernel = false;  ///< depends on the package that holds the kernel
};

/// The recipe, ready to be carried out.
struct GuestRecipe {
    std::vector<PackageChoice> packages;
    std::vector<std::string> files;              ///< patterns of what to take from the packages
    std::vector<std::string> modules;            ///< names, or directories ending in "/"
    std::vector<std::string> initramfs_modules;  ///< names
    std::vector<std::string> unused_modules;     ///< directories ending in "/"
    std::string kernel_arguments;                ///< for any kind of boot, root= included
    std::string syslinux_config;
    std::string initramfs_init;
    std::map<std::string, std::string> rootfs;  ///< path below / to content; "#!" makes it executable
    std::string digest;                         ///< SHA-256 of it all and of the builder's version
};

/// The label of the guest's root file system.
inline constexpr const char* guest_root_label = "jeos-mini-root";

/// Reads \p dir. Throws GuestImageError if a part is missing or malformed, naming file and line.
GuestRecipe load_guest_recipe(const std::filesystem::path& dir);

/// Lines of \p text without comments and blanks; for the lists above.
std::vector<std::string> recipe_lines(std::string_view text);

/// One line of packages.txt. Throws GuestImageError if a name is not a package's.
PackageChoice parse_package_choice(std::string_view line);

/// True if the path \p path matches \p pattern: "*" any run of characters but "/", "**" any run at all.
bool matches_path(std::string_view pattern, std::string_view path);

}  // namespace vt::bootstrap
