// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/job_lock.hpp"

#include "runner/support/file.hpp"
#include "runner/support/holder.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view name_start = "avocado-vt-joblock-";
constexpr std::string_view name_end = ".pid";
constexpr std::size_t id_length = 40;
constexpr std::size_t last_length = 8;
// A file's time has the resolution of the kernel's tick, and the boot time that of a second.
constexpr double slack = 2;

bool all_of(std::string_view text, std::string_view set) {
    return !text.empty() && text.find_first_not_of(set) == std::string_view::npos;
}

/// The parts of a lock file's name.
struct Name {
    std::string job_id;
    std::string last;
};

std::optional<Name> parse_name(const std::string& name) {
    if (!name.starts_with(name_start) || !name.ends_with(name_end)) {
        return std::nullopt;
    }
    const auto parts =
        split(name.substr(name_start.size(), name.size() - name_start.size() - name_end.size()), '-');
    const bool good = parts.size() == 3 && parts[0].size() == id_length &&
                      all_of(parts[0], "0123456789abcdef") && all_of(parts[1], "0123456789") &&
                      parts[2].size() == last_length &&
                      all_of(parts[2], "0123456789abcdefghijklmnopqrstuvwxyz");
    return good ? std::optional(Name{parts[0], parts[2]}) : std::nullopt;
}

std::string base36(std::uint64_t number) {
    std::string text(last_length, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number /= 36) {
        *digit = "0123456789abcdefghijklmnopqrstuvwxyz"[number % 36];
    }
    return text;
}

/// When \p process started, in seconds since the epoch.
double started_at(const ProcessId& process) {
    timespec now{};
    timespec up{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    const auto seconds = [](const timespec& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
    };
    return seconds(now) - seconds(up) +
           static_cast<double>(process.start_time) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Another's lock file.
struct Other {
    fs::path path;
    Name name;
    uid_t uid = 0;
    std::optional<pid_t> pid;  ///< nothing: it holds no PID
    double written = 0;        ///< seconds since the epoch
};

std::optional<Other> read_other(const fs::path& path, const Name& name) {
    Other other{path, name, 0, {}, 0};
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (!fd) {
        if (errno == ENOENT || ::lstat(path.c_str(), &info) != 0) {
            return std::nullopt;  // its job has just ended
        }
        other.uid = info.st_uid;
        return other;
    }
    if (::fstat(fd.get(), &info) != 0) {
        return std::nullopt;
    }
    other.uid = info.st_uid;
    other.written =
        static_cast<double>(info.st_mtim.tv_sec) + static_cast<double>(info.st_mtim.tv_nsec) / 1e9;
    std::string text(32, '\0');
    const auto size = S_ISREG(info.st_mode) ? ::pread(fd.get(), text.data(), text.size(), 0) : 0;
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    const auto digits = trim(text);
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
    if (error == std::errc() && end == digits.data() + digits.size() && pid > 0) {
        other.pid = pid;
    }
    return other;
}

/// Whether the process that wrote the file has ended, even if its number is another's now.
bool stale(const Other& other) {
    const auto process = ProcessId::of(*other.pid);
    if (process.start_time == 0) {
        // /proc may hide other users' processes.
        return ::kill(*other.pid, 0) != 0 && errno == ESRCH;
    }
    return !process.alive() || started_at(process) > other.written + slack;
}

bool is_ours(const Other& other) {
    return other.name.last == base36(ProcessId::of(*other.pid).start_time);
}

fs::path make_file(const fs::path& dir, const std::string& job_id, const ProcessId& owner) {
    const auto path =
        dir / fmt::format("{}{}-{}-{}{}", name_start, job_id, ::getuid(), base36(owner.start_time), name_end);
    // Whole from its first moment: Avocado-VT refuses to start beside an empty one.
    std::string temporary = (dir / ".avocado-vt-joblock-XXXXXX").string();
    const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) {
        throw SystemError(fmt::format("no job lock can be made in {} (plugins.vtjoblock.dir)", dir.string()),
                          errno);
    }
    try {
        write_all(fd.get(), std::to_string(owner.pid));
        ::fchmod(fd.get(), 0644);
        if (::link(temporary.c_str(), path.c_str()) != 0) {
            throw SystemError("cannot make the job lock " + path.string(), errno);
        }
    } catch (...) {
        ::unlink(temporary.c_str());
        throw;
    }
    ::unlink(temporary.c_str());
    return path;
}

/// Removes what dead jobs left, and returns the first live one of Avocado-VT's.
std::optional<Other> look_at_others(const fs::path& dir, JobLock& lock) {
    std::optional<Other> holder;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(dir, error)) {
        const auto name = parse_name(entry.path().filename().string());
        const auto other = name && entry.path() != lock.file ? read_other(entry.path(), *name) : std::nullopt;
        if (!other) {
            continue;
        }
        if (!other->pid) {
            lock.warnings.push_back(fmt::format("{} of user {} holds no process number and is passed over",
                                                other->path.string(), user_name(other->uid)));
        } else if (stale(*other)) {
            ::unlink(other->path.c_str());  // another user's stays, and does no harm
        } else if (!is_ours(*other)) {
            holder = other;
        }
    }
    return holder;
}

std::string program_of(pid_t pid) {
    try {
        const auto words = split(read_file(fmt::format("/proc/{}/cmdline", pid)), '\0');
        return holder_text(join(words, " "), ::geteuid());
    } catch (const Error&) {
        return "?";
    }
}

}  // namespace

JobLock take_job_lock(const fs::path& dir, const std::string& job_id, const ProcessId& owner) {
    if (job_id.size() != id_length || !all_of(job_id, "0123456789abcdef")) {
        throw Error(fmt::format("\"{}\" is no job's identifier: wanted are 40 hexadecimal digits", job_id));
    }
    std::error_code error;
    if (!fs::is_directory(dir, error)) {
        throw Error(
            fmt::format("the directory for job locks {} (plugins.vtjoblock.dir) is not there; make it, or "
                        "name another one",
                        dir.string()));
    }
    JobLock lock{make_file(dir, job_id, owner), {}};
    if (const auto holder = look_at_others(dir, lock)) {
        ::unlink(lock.file.c_str());
        throw JobLockedError(
            fmt::format("the job lock in {} is held by job {} of Avocado-VT, pid {} of user {} ({}), by its "
                        "file {}; wait "
                        "for its end, or name another directory in plugins.vtjoblock.dir",
                        dir.string(), holder->name.job_id, *holder->pid, user_name(holder->uid),
                        program_of(*holder->pid), holder->path.string()));
    }
    return lock;
}

void release_job_lock(const fs::path& file) {
    if (!parse_name(file.filename().string())) {
        throw Error(fmt::format("{} is no job lock", file.string()));
    }
    if (::unlink(file.c_str()) != 0 && errno != ENOENT) {
        throw SystemError("cannot remove the job lock " + file.string(), errno);
    }
}

}  // namespace vt
