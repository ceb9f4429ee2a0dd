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

std::string text_of(const ProcessId& task) {
    return fmt::format("{}-{}", task.pid, task.start_time);
}

/// As a limit: pids have at most 22 bits (PID_MAX_LIMIT), and the start time is good for 69,000 years.
rlim_t number_of(const ProcessId& task) {
    return static_cast<rlim_t>(task.start_time) << 22 | static_cast<rlim_t>(task.pid);
}

bool has_limit(const fs::path& process, const std::string& number) {
    const auto limits = read_file(process / "limits", 1 << 16);
    constexpr std::string_view row = "\nMax file locks ";
    const auto at = limits.find(row);
    if (at == std::string::npos) {
        return false;
    }
    const auto words = split_words(std::string_view(limits).substr(at + row.size(), 60));
    return !words.empty() && words.front() == number;
}

bool has_variable(const fs::path& process, const std::string& assignment) {
    const auto environment = std::string(1, '\0') + read_file(process / "environ", 4 << 20);
    return environment.find(std::string(1, '\0') + assignment + '\0') != std::string::npos;
}

/// True for a zombie, which keeps its limits.
bool is_dead(pid_t pid) {
    return !ProcessId::of(pid).alive();
}

/// The living processes that carry the mark of \p task.
std::vector<pid_t> marked(const ProcessId& task) {
    const auto number = std::to_string(number_of(task));
    const auto assignment = fmt::format("{}={}", task_mark, text_of(task));
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
            if ((has_limit(entry.path(), number) || has_variable(entry.path(), assignment)) &&
                !is_dead(pid)) {
                found.push_back(pid);
            }
        } catch (const Error&) {  // somebody else's, or gone
        }
    }
    return found;
}

[[noreturn]] void sweep_after(int parent, const ProcessId& task) {
    ::prctl(PR_SET_NAME, "vt-sweeper");
    ::setsid();
    clear_mark();
    const int moved = ::fcntl(parent, F_DUPFD, 3);
    ::dup2(moved, 3);
    ::syscall(SYS_close_range, 4U, ~0U, 0U);
    const int null = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) {
        ::dup2(null, fd);
    }
    pollfd ended{3, POLLIN, 0};
    while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
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
    std::vector<pid_t> killed;
    for (auto found = marked(task); !found.empty() && !deadline.expired(); found = marked(task)) {
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
            ::poll(&end, 1, deadline.poll_timeout_ms());
        }
    }
    return killed.size();
}

pid_t start_sweeper(const ProcessId& task) {
    const auto self = open_pidfd(::getpid());
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw SystemError("cannot start the sweeper", errno);
    }
    if (pid == 0) {
        sweep_after(self.get(), task);
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
