// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Intervals of versions as parameters write them: `[6.2.0, )`, `(5.1, 7.0]`.
#pragma once

#include <string>
#include <string_view>

namespace vt {

/// A set of versions between two bounds, each of which may be open or missing.
class VersionInterval {
  public:
    /// Throws Error for text that is no interval.
    static VersionInterval parse(std::string_view text);

    bool contains(std::string_view version) const;

  private:
    std::string lower_, upper_;  ///< empty: no bound
    bool lower_included_ = false, upper_included_ = false;
};

/// Less than, equal to or greater than 0 as \p a is older than, as \p b, newer: numbers are compared as
/// numbers, and what stands after the dotted numbers ("-rc1", "+deb12") does not count. Missing parts count
/// as 0.
int compare_versions(std::string_view a, std::string_view b);

}  // namespace vt
