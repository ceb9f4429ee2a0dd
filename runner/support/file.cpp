// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/file.hpp"

#include "runner/support/error.hpp"

#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>

namespace vt {
namespace fs = std::filesystem;

std::string read_file(const fs::path& path, std::size_t limit) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot open " + path.string(), errno);
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) {
        throw SystemError("cannot stat " + path.string(), errno);
    }
    std::string content;
    if (S_ISREG(info.st_mode)) {
        content.reserve(static_cast<std::size_t>(info.st_size) + 1);
    }
    // Files of /proc and pipes have no size, so reading goes on to the end whatever stat said.
    std::size_t used = 0;
    for (;;) {
        content.resize(std::max(content.capacity(), used + 4096));
        const auto count = ::read(fd.get(), content.data() + used, content.size() - used);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            throw SystemError("cannot read " + path.string(), errno);
        }
        used += static_cast<std::size_t>(count);
        if (used > limit) {
            throw Error(fmt::format("{} is larger than the {} bytes that are read of such a file",
                                    path.string(), limit));
        }
        if (count == 0) {
            content.resize(used);
            return content;
        }
    }
}

std::string read_tail(const fs::path& path, std::size_t bytes) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return {};
    }
    const auto size = ::lseek(fd.get(), 0, SEEK_END);
    if (size <= 0) {
        return {};
    }
    const auto start = std::max<off_t>(0, size - static_cast<off_t>(bytes));
    std::string text(static_cast<std::size_t>(size - start), '\0');
    const auto count = ::pread(fd.get(), text.data(), text.size(), start);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    if (start > 0) {
        const auto newline = text.find('\n');
        if (newline != std::string::npos) {
            text.erase(0, newline + 1);
        }
    }
    return text;
}

void write_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const auto count = ::write(fd, data.data(), data.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            throw SystemError("cannot write", errno);
        }
        data.remove_prefix(static_cast<std::size_t>(count));
    }
}

namespace {

/// A file without a name, which nobody has to remove if we are killed; none where the file system has no such
/// thing (NFS, older overlays).
UniqueFd open_nameless(const fs::path& path) {
    const auto dir = path.has_parent_path() ? path.parent_path() : fs::path(".");
    return UniqueFd(::open(dir.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

/// A name beside \p path under which nothing exists.
std::string free_name(const fs::path& path) {
    std::string name = path.string() + ".XXXXXX";
    const UniqueFd fd(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) {
        throw SystemError("cannot write " + path.string(), errno);
    }
    ::unlink(name.c_str());
    return name;
}

/// Gives the nameless file \p fd the name \p path; false if something is there.
bool give_name(int fd, const fs::path& path) {
    const auto source = fmt::format("/proc/self/fd/{}", fd);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        throw SystemError("cannot write " + path.string(), errno);
    }
    return false;
}

}  // namespace

void write_file_atomically(const fs::path& path, std::string_view content, int mode) {
    std::string temporary;
    auto fd = open_nameless(path);
    const bool nameless = static_cast<bool>(fd);
    if (!nameless) {
        temporary = path.string() + ".XXXXXX";
        fd.reset(::mkostemp(temporary.data(), O_CLOEXEC));
    }
    if (!fd) {
        throw SystemError("cannot write " + path.string(), errno);
    }
    try {
        try {
            write_all(fd.get(), content);
        } catch (const SystemError& error) {
            throw SystemError("cannot write " + path.string(), error.errnum());
        }
        if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) {
            throw SystemError("cannot write " + path.string(), errno);
        }
        if (nameless) {
            if (give_name(fd.get(), path)) {
                return;
            }
            // To replace a file takes a name, though only for a moment.
            do {
                temporary = free_name(path);
            } while (!give_name(fd.get(), temporary));
        }
        if (::rename(temporary.c_str(), path.c_str()) != 0) {
            throw SystemError("cannot write " + path.string(), errno);
        }
    } catch (...) {
        if (!temporary.empty()) {
            ::unlink(temporary.c_str());
        }
        throw;
    }
}

void make_private_directory(const fs::path& path) {
    if (path.empty() || ::mkdir(path.c_str(), 0700) == 0) {
        return;
    }
    if (errno == ENOENT) {
        make_private_directory(path.parent_path());
        if (::mkdir(path.c_str(), 0700) == 0) {
            return;
        }
    }
    const int errnum = errno;
    if (errnum == EEXIST && fs::is_directory(path)) {
        return;
    }
    throw SystemError("cannot make the directory " + path.string(), errnum);
}

TempDirectory::TempDirectory(const std::string& prefix, fs::path parent) {
    if (parent.empty()) {
        parent = fs::temp_directory_path();
    }
    std::string name = (parent / (prefix + "XXXXXX")).string();
    if (::mkdtemp(name.data()) == nullptr) {
        throw SystemError("cannot make a directory in " + parent.string(), errno);
    }
    path_ = name;
}

TempDirectory::~TempDirectory() {
    if (!path_.empty()) {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
}

}  // namespace vt
