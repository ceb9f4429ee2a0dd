// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where the output of a plan's processes goes: BASE/CASE-DATE/PLAN/NAME.stdout.
///
/// The folder is made when the plan is, removed when the plan has succeeded, and left for a person otherwise.
#pragma once

#include <filesystem>
#include <string>

namespace vt::plan {

/// A folder of one plan; movable.
class LogFolder {
  public:
    /// Makes BASE/CASE-DATE/PLAN, private. If there is one of that date already, CASE-DATE gets a number, so
    /// that no two plans share a folder. Throws SystemError.
    LogFolder(const std::filesystem::path& base, const std::string& test_case, const std::string& plan);

    /// BASE/CASE-DATE; empty once removed.
    const std::filesystem::path& test_dir() const { return test_dir_; }
    /// BASE/CASE-DATE/PLAN; empty once removed.
    const std::filesystem::path& output_dir() const { return output_dir_; }
    /// Removes both; nothing if they are gone.
    void remove();

  private:
    std::filesystem::path test_dir_;
    std::filesystem::path output_dir_;
};

}  // namespace vt::plan
