// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Chooses kernel modules with what they depend on, from the modules.dep that depmod writes.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// The modules of one kernel.
class ModuleIndex {
  public:
    /// Parses the text of a modules.dep: lines of "path: paths it needs, all of them". Throws GuestImageError
    /// on anything else.
    explicit ModuleIndex(std::string_view modules_dep);

    /// Paths below the module directory of what \p wanted names, with all that it needs. An entry that ends
    /// in "/" is a directory below kernel/, others are module names ("-" and "_" are one). Names that this
    /// kernel lacks are logged and left out: kernels differ in what they build in.
    std::set<std::string> closure(const std::vector<std::string>& wanted) const;

  private:
    std::map<std::string, std::vector<std::string>> needs_;  ///< by path
    std::map<std::string, std::string> path_of_;             ///< by normalized name
};

/// Links the modules \p paths from the directory \p from (lib/modules/VERSION) to the same below \p to, on
/// the same file system, and copies the lists that depmod wants.
void link_modules(const std::filesystem::path& from, const std::set<std::string>& paths,
                  const std::filesystem::path& to);

}  // namespace vt::bootstrap
