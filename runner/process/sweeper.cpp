// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/sweeper.hpp"

#include "runner/process/spawn.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <vector>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace fs = std::filesystem;

// A machine under load may take long to find them all, and what is found late has to go as well.
constexpr Seconds patience{15};
constexpr Seconds first_sweep{2};  ///< before others are told; most often all is done by then

std::string text_of(const ProcessId& task) {
    return fmt::format("{}-{}", task.pid, task.start_time);
}

/// As a limit: pids have at most 22 bits (PID_MAX_LIMIT), and the start time is good for 69,000 years.
rlim_t number_of(const ProcessId& task) {
    return static_cast<rlim_t>(task.start_time) << 22 | static_cast<rlim_t>(task.pid);
}

/// The soft and the hard limit RLIMIT_LOCKS of a process as /proc tells them; empty if it does not.
struct LockLimits {
    std::string soft;
    std::string hard;
};

LockLimits lock_limits(const fs::path& process) {
    const auto limits = read_file(process / "limits", 1 << 16);
    constexpr std::string_view row = "\nMax file locks ";
    const auto at = limits.find(row);
    if (at == std::string::npos) {
        return {};
    }
    const auto words = split_words(std::string_view(limits).substr(at + row.size(), 60));
    return words.size() < 2 ? LockLimits{} : LockLimits{words[0], words[1]};
}

bool has_variable(const fs::path& process, const std::string& assignment) {
    const auto environment = std::string(1, '\0') + read_file(process / "environ", 4 << 20);
    return environment.find(std::string(1, '\0') + assignment + '\0') != std::string::npos;
}

/// True for a zombie, which keeps its limits.
bool is_dead(pid_t pid) {
    return !ProcessId::of(pid).alive();
}

/// The living processes, but the calling one, for which \p carries says yes to their directory below /proc.
template <typename Carries>
std::vector<pid_t> processes(const Carries& carries) {
    std::vector<pid_t> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const auto name = entry.path().filename().string();
        pid_t pid = 0;
        const auto end = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (end.ptr != name.data() + name.size() || pid == ::getpid()) {
            continue;
        }
        try {
            if (carries(entry.path()) && !is_dead(pid)) {
                found.push_back(pid);
            }
        } catch (const Error&) {  // somebody else's, or gone
        }
    }
    return found;
}

/// Kills what \p carries says yes to until there is nothing left of it; returns how many were killed.
template <typename Carries>
std::size_t kill_all(const Carries& carries, const Deadline& deadline) {
    std::vector<pid_t> killed;
    for (auto found = processes(carries); !found.empty() && !deadline.expired(); found = processes(carries)) {
        std::vector<UniqueFd> handles;
        std::vector<pollfd> ends;
        for (const pid_t pid : found) {
            handles.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
            ends.push_back({handles.back().get(), POLLIN, 0});
            ::kill(pid, SIGKILL);
            if (std::find(killed.begin(), killed.end(), pid) == killed.end()) {
                killed.push_back(pid);
            }
        }
        for (auto& end : ends) {
            if (end.fd >= 0) {
                ::poll(&end, 1, deadline.poll_timeout_ms());
            }
        }
    }
    return killed.size();
}

/// How \p process ended, while its parent has not collected it: the last field of /proc/PID/stat (proc(5)).
std::optional<int> wait_status(const ProcessId& process) {
    try {
        const auto stat = read_file(fmt::format("/proc/{}/stat", process.pid), 4096);
        const auto words = split_words(std::string_view(stat).substr(stat.rfind(')') + 1));
        constexpr std::size_t start_time = 22 - 3;
        constexpr std::size_t exit_code = 52 - 3;
        if (words.size() > exit_code && words[start_time] == std::to_string(process.start_time) &&
            words[0] == "Z") {
            return std::stoi(words[exit_code]);
        }
    } catch (const std::exception&) {  // collected already
    }
    return std::nullopt;
}

/// Closes all descriptors but those.
void close_others(std::vector<int> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned next = 0;
    for (const int fd : kept) {
        if (static_cast<unsigned>(fd) > next) {
            ::syscall(SYS_close_range, next, static_cast<unsigned>(fd) - 1, 0U);
        }
        next = static_cast<unsigned>(fd) + 1;
    }
    ::syscall(SYS_close_range, next, ~0U, 0U);
}

[[noreturn]] void sweep_after(int parent, const ProcessId& task, const SweeperEnd& then) {
    ::prctl(PR_SET_NAME, "vt-sweeper");
    ::setsid();
    clear_mark();
    auto kept = then.descriptors;
    kept.push_back(parent);
    close_others(kept);
    // The three standard descriptors are nobody's: what is written there by mistake goes nowhere.
    for (int fd = 0; fd < 3; ++fd) {
        ::open("/dev/null", O_RDWR);
    }
    pollfd ended{parent, POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
    }
    const auto status = wait_status(task);
    kill_marked(task, Deadline::after(first_sweep));
    if (then.action) {
        try {
            then.action(status);
        } catch (const std::exception&) {  // there is nobody left to be told
        }
    }
    kill_marked(task, Deadline::after(patience));
    ::_exit(0);
}

}  // namespace

void clear_mark() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_LOCKS, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_LOCKS, &limit);
    }
}

std::size_t kill_marked(const ProcessId& task, const Deadline& deadline) {
    const auto number = std::to_string(number_of(task));
    const auto assignment = fmt::format("{}={}", task_mark, text_of(task));
    return kill_all(
        [&](const fs::path& process) {
            return lock_limits(process).soft == number || has_variable(process, assignment);
        },
        deadline);
}

std::uint64_t new_supervision_mark() {
    // Above all marks of tasks, which are below it for the next thousand years.
    constexpr std::uint64_t lowest = std::uint64_t{1} << 61;
    rlimit limit{};
    ::getrlimit(RLIMIT_LOCKS, &limit);
    const auto own = static_cast<std::uint64_t>(limit.rlim_max);
    const auto highest = own > lowest + 1 && own < 2 * lowest ? own : 2 * lowest;
    std::random_device source;
    const auto random = static_cast<std::uint64_t>(source()) << 32 | source();
    return lowest + random % (highest - lowest);
}

void set_supervision_mark(std::uint64_t mark) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_LOCKS, &limit) == 0) {
        limit.rlim_max = mark;
        limit.rlim_cur = limit.rlim_cur < limit.rlim_max ? limit.rlim_cur : limit.rlim_max;
        ::setrlimit(RLIMIT_LOCKS, &limit);
    }
}

std::vector<pid_t> supervised_processes(std::uint64_t mark) {
    const auto number = std::to_string(mark);
    return processes([&](const fs::path& process) { return lock_limits(process).hard == number; });
}

std::size_t kill_supervised(std::uint64_t mark, const Deadline& deadline) {
    const auto number = std::to_string(mark);
    return kill_all([&](const fs::path& process) { return lock_limits(process).hard == number; }, deadline);
}

pid_t start_sweeper(const ProcessId& task, const SweeperEnd& then) {
    const auto self = open_pidfd(::getpid());
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw SystemError("cannot start the sweeper", errno);
    }
    if (pid == 0) {
        sweep_after(self.get(), task, then);
    }
    // After the fork, as the sweeper is not to be swept.
    ::setenv(task_mark, text_of(task).c_str(), 1);
    rlimit limit{};
    ::getrlimit(RLIMIT_LOCKS, &limit);
    limit.rlim_cur = number_of(task);
    if (::setrlimit(RLIMIT_LOCKS, &limit) != 0) {
        log::debug("processes that clear their environment will not be found ({})", errno_text(errno));
    }
    return pid;
}

}  // namespace vt::process
