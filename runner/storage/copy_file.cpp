// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/storage/copy_file.hpp"

#include "runner/storage/image.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace vt {

namespace {

/// Moves bytes [begin, end) by the kernel, or through memory where it cannot.
void copy_range(int from, int to, off_t begin, off_t end) {
    off_t in = begin;
    off_t out = begin;
    while (in < end) {
        const ssize_t moved = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - in), 0);
        if (moved > 0) {
            continue;
        }
        if (moved == 0) {
            return;  // the source shrank
        }
        if (errno == EINTR) {
            continue;
        }
        if (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) {
            throw SystemError("copy", errno);
        }
        break;
    }
    std::vector<char> buffer(std::size_t{1} << 20);
    while (in < end) {
        const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(end - in));
        const ssize_t got = ::pread(from, buffer.data(), wanted, in);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            throw SystemError("read", errno);
        }
        if (got == 0) {
            return;
        }
        for (ssize_t done = 0; done < got;) {
            const ssize_t put =
                ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), in + done);
            if (put < 0 && errno != EINTR) {
                throw SystemError("write", errno);
            }
            done += std::max<ssize_t>(put, 0);
        }
        in += got;
    }
}

/// The source's end: a device's size is where seeking to its end leads.
off_t size_of(int fd) {
    const off_t size = ::lseek(fd, 0, SEEK_END);
    if (size < 0) {
        throw SystemError("find the size", errno);
    }
    return size;
}

void copy_data(int from, int to, bool sparse) {
    const off_t size = size_of(from);
    if (!sparse) {
        copy_range(from, to, 0, size);
        return;
    }
    if (::ioctl(to, FICLONE, from) == 0) {
        return;
    }
    for (off_t at = 0; at < size;) {
        const off_t data = ::lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO) {
            break;  // nothing but a hole up to the end
        }
        if (data < 0) {
            copy_range(from, to, at, size);  // this file system does not tell holes
            break;
        }
        const off_t hole = ::lseek(from, data, SEEK_HOLE);
        const off_t end = hole < 0 ? size : hole;
        copy_range(from, to, data, end);
        at = end;
    }
    if (::ftruncate(to, size) != 0) {
        throw SystemError("set the size", errno);
    }
}

}  // namespace

void copy_file_safely(const std::filesystem::path& source, const std::filesystem::path& target) {
    try {
        // A symbolic link stays one: what it points to is replaced.
        std::error_code error;
        const auto real = std::filesystem::weakly_canonical(target, error);
        const auto& final_target = error ? target : real;
        const UniqueFd from(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
        if (!from) {
            throw SystemError("open " + source.native(), errno);
        }
        struct stat info {};
        if (::fstat(from.get(), &info) != 0) {
            throw SystemError("look at " + source.native(), errno);
        }
        if (std::filesystem::is_block_file(final_target, error)) {
            const UniqueFd to(::open(final_target.c_str(), O_WRONLY | O_CLOEXEC));
            if (!to) {
                throw SystemError("open " + final_target.native(), errno);
            }
            copy_data(from.get(), to.get(), false);
            return;
        }
        ScratchFile part(RuntimeDirs::make().journal(), final_target.native() + ".part");
        const mode_t mode = S_ISREG(info.st_mode) ? info.st_mode & 07777 : 0600;
        const UniqueFd to(::open(part.path().c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
        if (!to) {
            throw SystemError("make " + part.path().native(), errno);
        }
        copy_data(from.get(), to.get(), S_ISREG(info.st_mode));
        part.move_to(final_target);
    } catch (const SystemError& failed) {
        throw ImageError(fmt::format(
            "{} could not be copied to {}: {}{}", source.native(), target.native(), failed.what(),
            failed.errnum() == ENOSPC ? "; free some space there or set another backup_dir" : ""));
    }
}

}  // namespace vt
