// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Lays out the guest's two trees, root file system and initramfs, from unpacked packages and the recipe's
/// texts.
///
/// Everything belongs to whoever builds; the tools that write the images make it root's. Two of the guest's
/// own programs run on the host here, busybox (to list its applets) and dropbearkey (through the guest's own
/// dynamic linker, so that the host's libc does not matter): both the packages' and both x86-64, as the host
/// must be.
#pragma once

#include "runner/guest_build/guest_packages.hpp"
#include "runner/guest_build/guest_recipe.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// Packages unpacked into one merged-/usr tree.
struct PackageTree {
    std::filesystem::path root;
    std::string kernel_version;    ///< the name below usr/lib/modules
    std::filesystem::path kernel;  ///< the bzImage
};

/// Unpacks \p packages below \p dir, which it makes, and runs depmod. Throws GuestImageError.
PackageTree unpack_packages(const GuestRecipe& recipe, const std::vector<FetchedPackage>& packages,
                            const std::filesystem::path& dir, const Deadline& deadline);

/// Makes the root file system's tree in \p dir. Files are taken out of \p tree, not copied. Throws
/// GuestImageError.
void make_rootfs(const GuestRecipe& recipe, const PackageTree& tree, const std::filesystem::path& dir,
                 const Deadline& deadline);

/// Makes the initramfs's tree in \p dir. Must come before make_rootfs(). Throws GuestImageError.
void make_initramfs_tree(const GuestRecipe& recipe, const PackageTree& tree, const std::filesystem::path& dir,
                         const Deadline& deadline);

}  // namespace vt::bootstrap
