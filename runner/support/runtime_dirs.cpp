// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/runtime_dirs.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/home.hpp"

#include <cerrno>
#include <cstdlib>

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

/// The value of environment variable \p name if it is an absolute path of an existing directory.
fs::path directory_from_environment(const char* name) {
    const char* value = std::getenv(name);
    if (value == nullptr || value[0] != '/') {
        return {};
    }
    std::error_code ignored;
    return fs::is_directory(value, ignored) ? fs::path(value) : fs::path();
}

/// Throws Error unless \p dir is a directory of the caller's that nobody else may enter.
void check_private(const fs::path& dir) {
    struct stat info {};
    if (::lstat(dir.c_str(), &info) != 0) {
        throw SystemError("cannot look at " + dir.string(), errno);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != ::geteuid() || (info.st_mode & 0077) != 0) {
        throw Error(
            fmt::format("{} should be a directory of user {} with mode 0700, but it is owned by user {} with "
                        "mode {:o}; remove "
                        "it, or name another place in AVOCADO_VT_RUNTIME_DIR",
                        dir.string(), ::geteuid(), info.st_uid, info.st_mode & 07777));
    }
}

}  // namespace

RuntimeDirs RuntimeDirs::make(const fs::path& override_base) {
    fs::path base = override_base;
    const char* named = std::getenv("AVOCADO_VT_RUNTIME_DIR");
    if (base.empty() && named != nullptr && named[0] == '/') {
        base = named;
    }
    if (base.empty()) {
        const auto runtime = directory_from_environment("XDG_RUNTIME_DIR");
        base = runtime.empty() ? fs::path(fmt::format("/tmp/avocado-vt-{}", ::geteuid()))
                               : runtime / "avocado-vt";
    }
    make_private_directory(base);
    check_private(base);
    return {base};
}

fs::path RuntimeDirs::host() {
    auto dir = directory_from_environment("AVOCADO_VT_HOST_DIR");
    if (dir.empty()) {
        dir = "/tmp";
    }
    struct stat info {};
    if (::stat(dir.c_str(), &info) != 0) {
        throw SystemError("cannot look at " + dir.string(), errno);
    }
    const bool trusted = info.st_uid == 0 || info.st_uid == ::geteuid();
    if (!trusted || ((info.st_mode & 0022) != 0 && (info.st_mode & S_ISVTX) == 0)) {
        throw Error(
            fmt::format("{} should be root's or the calling user's, and have the sticky bit if others may "
                        "write there; it is "
                        "owned by user {} with mode {:o}. Name another place in AVOCADO_VT_HOST_DIR",
                        dir.string(), info.st_uid, info.st_mode & 07777));
    }
    return dir;
}

fs::path RuntimeDirs::user_locks() {
    const auto dir = host() / fmt::format("avocado-vt-{}", ::geteuid());
    make_private_directory(dir);
    check_private(dir);
    make_private_directory(dir / "locks");
    return dir / "locks";
}

fs::path RuntimeDirs::job_path(const std::string& job_id) const {
    // A job's identifier comes from the command line: only its harmless characters become a path.
    std::string name;
    for (const char c : job_id) {
        const bool harmless = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (harmless && name.size() < 12) {
            name += c;
        }
    }
    return base / ("job-" + name);
}

fs::path RuntimeDirs::job(const std::string& job_id) const {
    auto dir = job_path(job_id);
    make_private_directory(dir);
    return dir;
}

fs::path user_cache_dir(const RuntimeDirs& dirs) {
    auto cache = directory_from_environment("XDG_CACHE_HOME");
    if (cache.empty()) {
        const auto home = home_directory();
        cache = home.is_absolute() ? home / ".cache" : fs::path();
    }
    if (!cache.empty()) {
        try {
            make_private_directory(cache / "avocado-vt");
            if (::access((cache / "avocado-vt").c_str(), W_OK | X_OK) == 0) {
                return cache / "avocado-vt";
            }
        } catch (const SystemError&) {  // a read-only home is an ordinary case
        }
    }
    make_private_directory(dirs.cache());
    return dirs.cache();
}

}  // namespace vt
