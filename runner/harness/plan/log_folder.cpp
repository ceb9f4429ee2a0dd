// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/log_folder.hpp"

#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/core.h>
#include <sys/stat.h>

namespace vt::plan {
namespace {

namespace fs = std::filesystem;

/// \p name as a file's: names of tests may hold anything.
std::string file_name(std::string name) {
    std::replace(name.begin(), name.end(), '/', '_');
    return name.empty() || name == "." || name == ".." ? "plan" : name;
}

void make(const fs::path& path) {
    if (::mkdir(path.c_str(), S_IRWXU) != 0) {
        throw SystemError(fmt::format("cannot make the plan's log folder {}", path.native()), errno);
    }
}

}  // namespace

LogFolder::LogFolder(const fs::path& base, const std::string& test_case, const std::string& plan) {
    const std::time_t now = std::time(nullptr);
    const auto name = fmt::format("{}-{:%Y%m%d-%H%M%S}", file_name(test_case), fmt::localtime(now));
    test_dir_ = fs::absolute(base) / name;
    for (int number = 1; ::mkdir(test_dir_.c_str(), S_IRWXU) != 0; ++number) {
        if (errno != EEXIST) {
            throw SystemError(fmt::format("cannot make the plan's log folder {}", test_dir_.native()), errno);
        }
        test_dir_ = fs::absolute(base) / fmt::format("{}-{}", name, number);
    }
    output_dir_ = test_dir_ / file_name(plan);
    make(output_dir_);
}

void LogFolder::remove() {
    if (test_dir_.empty()) {
        return;
    }
    std::error_code problem;
    fs::remove_all(test_dir_, problem);
    if (problem) {
        log::warning("the plan's log folder {} cannot be removed: {}", test_dir_.native(), problem.message());
    }
    test_dir_.clear();
    output_dir_.clear();
}

}  // namespace vt::plan
