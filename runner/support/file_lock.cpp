// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/file_lock.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

// A holder that dies is closed by the kernel just *before* its lock goes, so the event may come too early by
// a moment.
constexpr int closing_gap_ms = 100;

UniqueFd open_lock(const fs::path& path) {
    // A lock shared between users may be somebody else's file: reading it is enough to lock it.
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd && errno == EACCES) {
        fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    }
    if (!fd) {
        throw SystemError("cannot open the lock " + path.string(), errno);
    }
    return fd;
}

bool try_flock(int fd, FileLock::Mode mode) {
    const int operation = mode == FileLock::Mode::shared ? LOCK_SH : LOCK_EX;
    while (::flock(fd, operation | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return false;
        }
        if (errno != EINTR) {
            throw SystemError("cannot lock", errno);
        }
    }
    return true;
}

void write_holder(int fd, const std::string& holder) {
    // Best effort: the text only serves messages, and a lock that may be read but not written has another
    // owner's text.
    if (::ftruncate(fd, 0) == 0) {
        const auto line = holder + "\n";
        [[maybe_unused]] const auto count = ::pwrite(fd, line.data(), line.size(), 0);
    }
}

}  // namespace

std::optional<FileLock> FileLock::try_take(const fs::path& path, Mode mode, const std::string& holder) {
    auto fd = open_lock(path);
    if (!try_flock(fd.get(), mode)) {
        return std::nullopt;
    }
    write_holder(fd.get(), holder);
    return FileLock(std::move(fd));
}

FileLock FileLock::take(const fs::path& path, Mode mode, const std::string& holder,
                        const Deadline& deadline) {
    // A free lock is the ordinary case, and giving up an inotify watch costs milliseconds in the kernel.
    if (auto lock = try_take(path, mode, holder)) {
        return std::move(*lock);
    }
    auto fd = open_lock(path);
    const UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!events || ::inotify_add_watch(events.get(), path.c_str(), IN_CLOSE | IN_DELETE_SELF) < 0) {
        throw SystemError("cannot watch the lock " + path.string(), errno);
    }
    bool told = false;
    while (!try_flock(fd.get(), mode)) {
        if (deadline.expired()) {
            throw TimeoutError(fmt::format("waited {:.0f} s for the lock {}, which is held by {}",
                                           deadline.total().count(), path.string(), holder_of(path)));
        }
        if (!told) {
            log::info("waiting for {}, held by {}", path.string(), holder_of(path));
            told = true;
        }
        pollfd ready{events.get(), POLLIN, 0};
        const int limit = deadline.poll_timeout_ms();
        if (::poll(&ready, 1, limit < 0 ? 1000 : std::min(limit, 1000)) > 0) {
            std::array<char, 4096> ignored{};
            while (::read(events.get(), ignored.data(), ignored.size()) > 0) {
            }
            if (!try_flock(fd.get(), mode)) {
                ::poll(nullptr, 0, std::min(closing_gap_ms, limit < 0 ? closing_gap_ms : limit));
                continue;
            }
            break;
        }
    }
    write_holder(fd.get(), holder);
    return FileLock(std::move(fd));
}

std::string FileLock::holder_of(const fs::path& path) {
    auto text = read_tail(path, 1000);
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text.empty() ? "an unknown process" : text;
}

}  // namespace vt
