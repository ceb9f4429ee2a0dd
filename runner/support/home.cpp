// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/home.hpp"

#include <array>
#include <cstdlib>

#include <pwd.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;

fs::path home_directory() {
    if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        return home;
    }
    std::array<char, 16384> buffer{};
    struct passwd entry = {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return {};
    }
    return entry.pw_dir;
}

fs::path expand_home(const std::string& path) {
    if (path != "~" && !path.starts_with("~/")) {
        return path;
    }
    fs::path home = home_directory();
    return home.empty() ? fs::path(path) : home / fs::path(path.substr(path.size() > 1 ? 2 : 1));
}

}  // namespace vt
