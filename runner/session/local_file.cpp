// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/local_file.hpp"

#include "runner/session/shell_error.hpp"
#include "runner/support/file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

namespace vt {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path, int errnum) {
    throw TransferFailedError(1, fmt::format("{} {}: {}", what, path.string(), errno_text(errnum)));
}

}  // namespace

LocalFile::LocalFile(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {
    struct stat info {};
    if (!fd_ || ::fstat(fd_.get(), &info) != 0) {
        fail("open", path_, errno);
    }
    if (!S_ISREG(info.st_mode)) {
        fail("copy", path_, S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
    }
    size_ = static_cast<std::uint64_t>(info.st_size);
    mode_ = static_cast<int>(info.st_mode & 07777U);
}

LocalFile LocalFile::open(const std::filesystem::path& path) {
    // Non-blocking, so that a FIFO is refused instead of awaited.
    return {path, UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
}

LocalFile LocalFile::create(const std::filesystem::path& path, int mode) {
    LocalFile file(
        path, UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600)));
    if (::fchmod(file.fd_.get(), static_cast<mode_t>(mode & 0777)) != 0) {
        fail("set the mode of", path, errno);
    }
    return file;
}

std::size_t LocalFile::read(char* buffer, std::size_t size) {
    for (;;) {
        const ssize_t got = ::read(fd_.get(), buffer, size);
        if (got >= 0) {
            return static_cast<std::size_t>(got);
        }
        if (errno != EINTR) {
            fail("read", path_, errno);
        }
    }
}

void LocalFile::write(std::string_view bytes) {
    try {
        write_all(fd_.get(), bytes);
    } catch (const SystemError& error) {
        fail("write", path_, error.errnum());
    }
}

void make_local_directory(const std::filesystem::path& path, int mode) {
    // Writable for us while it is filled, whatever the guest says.
    if (::mkdir(path.c_str(), static_cast<mode_t>((mode & 0777) | 0700)) != 0 &&
        !(errno == EEXIST && std::filesystem::is_directory(path))) {
        fail("make directory", path, errno);
    }
}

}  // namespace vt
