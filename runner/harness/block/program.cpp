// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/program.hpp"

#include "runner/io/socket.hpp"
#include "runner/process/pipe.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace vt::block {
namespace fs = std::filesystem;

Program::Program(const ProgramStart& start) {
    const auto input = process::open_null();
    std::vector<process::BoundFd> fds{{input.get(), 0},
                                      {start.output.value_or(STDOUT_FILENO), 1},
                                      {start.output.value_or(STDERR_FILENO), 2}};
    for (const int fd : start.inherited) {
        fds.push_back({fd, fd});
    }
    process::Command command;
    command.argv = start.argv;
    child_ = process::spawn(command, fds);
    pid_ = child_.pid();
    pidfd_ = child_.pidfd();
}

std::optional<process::ExitStatus> Program::poll() {
    const std::lock_guard lock(mutex_);
    return child_ ? child_.try_reap() : child_.status();
}

std::optional<process::ExitStatus> Program::wait(const Deadline& deadline) {
    // Awaited without the lock: another thread may have to kill it.
    if (!wait_ready(pidfd_, POLLIN, deadline)) {
        return std::nullopt;
    }
    return poll();
}

void Program::signal(int signal) {
    const std::lock_guard lock(mutex_);
    child_.signal(signal);
}

bool await_file(const fs::path& file, Program& program, const Deadline& deadline) {
    const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch || ::inotify_add_watch(watch.get(), file.parent_path().c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
        throw SystemError("cannot watch " + file.parent_path().string(), errno);
    }
    std::array<pollfd, 2> fds{{{watch.get(), POLLIN, 0}, {program.pidfd(), POLLIN, 0}}};
    while (::access(file.c_str(), F_OK) != 0) {
        if (deadline.expired() || (fds[1].revents & POLLIN) != 0) {
            return false;
        }
        ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
        std::array<char, 4096> events{};
        while (::read(watch.get(), events.data(), events.size()) > 0) {
        }
    }
    return true;
}

std::vector<int> inheritable_descriptors() {
    std::vector<int> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc/self/fd", ignored)) {
        const auto name = entry.path().filename().string();
        int fd = -1;
        std::from_chars(name.data(), name.data() + name.size(), fd);
        const int flags = fd > 2 ? ::fcntl(fd, F_GETFD) : -1;
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) {
            found.push_back(fd);
        }
    }
    return found;
}

}  // namespace vt::block
