// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/sweeper.hpp"

#include "runner/process/spawn.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace fs = std::filesystem;

/// The processes whose environment at exec had \p assignment.
std::vector<pid_t> marked(const std::string& assignment) {
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
            // A zombie has no environment any more, so what is dead does not count.
            const auto environment = std::string(1, '\0') + read_file(entry.path() / "environ", 4 << 20);
            if (environment.find(std::string(1, '\0') + assignment + '\0') != std::string::npos) {
                found.push_back(pid);
            }
        } catch (const Error&) {  // somebody else's, or gone
        }
    }
    return found;
}

[[noreturn]] void sweep_after(int parent, const std::string& task) {
    ::prctl(PR_SET_NAME, "vt-sweeper");
    ::setsid();
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
    kill_marked(task, Deadline::after(Seconds(1.5)));
    ::_exit(0);
}

}  // namespace

std::size_t kill_marked(const std::string& task, const Deadline& deadline) {
    const auto assignment = std::string(task_mark) + "=" + task;
    std::vector<pid_t> killed;
    for (auto found = marked(assignment); !found.empty() && !deadline.expired(); found = marked(assignment)) {
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

pid_t start_sweeper(const std::string& task) {
    ::setenv(task_mark, task.c_str(), 1);
    const auto self = open_pidfd(::getpid());
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw SystemError("cannot start the sweeper", errno);
    }
    if (pid == 0) {
        sweep_after(self.get(), task);
    }
    return pid;
}

}  // namespace vt::process
