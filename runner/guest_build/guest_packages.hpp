// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Gets the guest's packages: apt names and downloads them, we check their digests and keep them.
///
/// apt works for anybody, with the host's package lists or with lists of our own below the cache; nothing on
/// the host changes. It is asked as if no package were installed, since a version that is installed need not
/// be there for download any more.
#pragma once

#include "runner/guest_build/guest_recipe.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// A package as a package list describes it.
struct PackageRecord {
    std::string name;
    std::string version;
    std::string sha256;
    std::vector<std::string> depends;  ///< names only, the first of alternatives
};

/// A package on this disk, its digest checked.
struct FetchedPackage {
    PackageRecord record;
    std::filesystem::path file;
};

/// The records in \p text, which has the format of `apt-cache show`; those without a name, a version and a
/// SHA-256 digest are left out.
std::vector<PackageRecord> parse_package_records(std::string_view text);

/// Gets \p packages into \p cache_dir, downloading what is not there. \p say is told before each step. Throws
/// GuestImageError, naming what no package source has; TimeoutError.
std::vector<FetchedPackage> fetch_packages(const GuestRecipe& recipe, const std::filesystem::path& cache_dir,
                                           const std::function<void(const std::string&)>& say,
                                           const Deadline& deadline);

}  // namespace vt::bootstrap
