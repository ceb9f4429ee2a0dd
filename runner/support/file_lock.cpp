// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/file_lock.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/holder.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

// A holder that dies is closed by the kernel just *before* its lock goes, so the event may come too early by
// a moment.
constexpr int closing_gap_ms = 100;
constexpr Seconds repeat{600};  // who waits long is reminded of whom it waits for

UniqueFd open_lock(const fs::path& path) {
    // A lock shared between users may be somebody else's file: reading it is enough to lock it. (O_CREAT on
    // such a file is refused in sticky directories, see fs.protected_regular in proc(5).)
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644));
    if (!fd && errno == EACCES) {
        fd.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    }
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) {
        throw SystemError("cannot open the lock " + path.string(), errno);
    }
    if (!S_ISREG(info.st_mode)) {
        throw Error(fmt::format("the lock {} is no plain file; remove it", path.string()));
    }
    if (info.st_uid == ::geteuid() && (info.st_mode & 0777) != 0644) {
        ::fchmod(fd.get(), 0644);  // whatever the umask: others have to be able to wait for it
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

/// Whether \p fd is still the file of that name: whoever held it before may have removed it.
bool is_at(const fs::path& path, int fd) {
    struct stat opened {};
    struct stat there {};
    return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &there) == 0 && opened.st_ino == there.st_ino &&
           opened.st_dev == there.st_dev;
}

/// Replaces what the file says of its holders, or adds to it where others share the lock.
void write_holder(int fd, const std::string& holder, FileLock::Mode mode) {
    struct stat info {};
    // Only into a file of our own which has no other name, so that nobody makes us write elsewhere. What
    // fails only makes messages poorer.
    if (::fstat(fd, &info) != 0 || info.st_uid != ::geteuid() || info.st_nlink != 1 ||
        (mode == FileLock::Mode::exclusive && ::ftruncate(fd, 0) != 0)) {
        return;
    }
    const auto line = holder.empty() ? std::string() : holder + "\n";
    [[maybe_unused]] const auto count =
        ::pwrite(fd, line.data(), line.size(), mode == FileLock::Mode::shared ? info.st_size : 0);
}

}  // namespace

/// A lock that somebody else may hold: its file, opened once, as each closing of it wakes all who wait.
class FileLock::Attempt {
  public:
    Attempt(const fs::path& path, Mode mode, const std::string& holder)
        : path_(path), mode_(mode), holder_(holder), fd_(open_lock(path)) {}

    std::optional<FileLock> operator()() {
        while (try_flock(fd_.get(), mode_)) {
            if (is_at(path_, fd_.get())) {
                write_holder(fd_.get(), holder_, mode_);
                return FileLock(std::move(fd_), path_);
            }
            fd_ = open_lock(path_);
        }
        return std::nullopt;
    }

  private:
    const fs::path& path_;
    Mode mode_;
    const std::string& holder_;
    UniqueFd fd_;
};

FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(path_, other.path_);
    std::swap(removed_, other.removed_);
    return *this;
}

FileLock::~FileLock() {
    if (!fd_) {
        return;
    }
    if (try_flock(fd_.get(), Mode::exclusive)) {  // nobody shares it any more
        if (removed_ && is_at(path_, fd_.get())) {
            ::unlink(path_.c_str());
        } else {
            write_holder(fd_.get(), "", Mode::exclusive);
        }
    }
    // A child that was forked meanwhile may have the file open still.
    ::flock(fd_.get(), LOCK_UN);
}

std::optional<FileLock> FileLock::try_take(const fs::path& path, Mode mode, const std::string& holder) {
    return Attempt(path, mode, holder)();
}

FileLock FileLock::take(const fs::path& path, Mode mode, const std::string& holder, const Deadline& deadline,
                        const std::string& what) {
    // A free lock is the ordinary case, and giving up an inotify watch costs milliseconds in the kernel.
    Attempt attempt(path, mode, holder);
    if (auto lock = attempt()) {
        return std::move(*lock);
    }
    const UniqueFd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    const auto name = what.empty() ? path.string() : what;
    auto again = Deadline::after(Seconds{0});
    for (;;) {
        // A lock that was removed and made anew is another file. Without a watch there is the look every
        // second.
        ::inotify_add_watch(events.get(), path.c_str(), IN_CLOSE | IN_DELETE_SELF);
        if (auto lock = attempt()) {
            return std::move(*lock);
        }
        if (deadline.expired()) {
            throw TimeoutError(fmt::format("waited {:.0f} s for {}, which is held by {}",
                                           deadline.total().count(), name, holder_of(path)));
        }
        if (again.expired()) {
            log::info("waiting for {}, held by {}", name, holder_of(path));
            again = Deadline::after(repeat);
        }
        pollfd ready{events.get(), POLLIN, 0};
        const int limit = deadline.poll_timeout_ms();
        if (::poll(&ready, 1, limit < 0 ? 1000 : std::min(limit, 1000)) > 0) {
            std::array<char, 4096> ignored{};
            while (::read(events.get(), ignored.data(), ignored.size()) > 0) {
            }
            if (auto lock = attempt()) {
                return std::move(*lock);
            }
            ::poll(nullptr, 0, std::min(closing_gap_ms, limit < 0 ? closing_gap_ms : limit));
        }
    }
}

std::string FileLock::holder_of(const fs::path& path) {
    auto lines = split(read_tail(path, 4000), '\n');
    std::erase_if(lines, [](const std::string& line) { return trim(line).empty(); });
    struct stat info {};
    const uid_t owner = ::stat(path.c_str(), &info) == 0 ? info.st_uid : ::geteuid();
    const auto processes = lock_holders(path);
    std::vector<std::string> names;
    for (const auto& process : processes) {
        const auto uid = user_of(process.pid);
        const auto mark = fmt::format("(pid {})", process.pid);
        const auto line = std::find_if(lines.rbegin(), lines.rend(), [&](const std::string& text) {
            return text.find(mark) != std::string::npos;
        });
        if (line != lines.rend()) {
            names.push_back(holder_text(*line, uid));
        } else if (processes.size() == 1 && !lines.empty() && uid == owner) {
            names.push_back(holder_text(lines.back(), uid));
        } else {
            names.push_back(process_text(process.pid));
        }
    }
    if (names.empty()) {
        names.push_back(lines.empty() ? "an unknown process" : holder_text(lines.back(), owner));
    }
    return join(names, ", ");
}

}  // namespace vt
