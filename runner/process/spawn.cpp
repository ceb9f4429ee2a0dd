// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/spawn.hpp"

#include "runner/process/sweeper.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace bp = boost::process::v2;

/// What happens in the child between fork and exec; only async-signal-safe calls there.
class ChildSetup {
  public:
    ChildSetup(const Command& command, const std::vector<BoundFd>& fds, const SpawnOptions& options,
               char* const* environment)
        : command_(command), fds_(fds), options_(options), environment_(environment), parent_(::getpid()) {}

    template <typename Launcher, typename Path>
    bp::error_code on_setup(Launcher& launcher, const Path& /*program*/, const char* const* /*argv*/) {
        launcher.env = environment_;
        for (const auto& fd : fds_) {
            launcher.fd_whitelist.push_back(fd.theirs);
        }
        return {};
    }

    template <typename Launcher, typename Path>
    bp::error_code on_exec_setup(Launcher& /*launcher*/, const Path& /*program*/,
                                 const char* const* /*argv*/) {
        const auto failure = [] { return bp::error_code(errno, boost::system::system_category()); };
        sigset_t none;
        sigemptyset(&none);
        if ((options_.leads == Leads::session ? ::setsid() < 0 : ::setpgid(0, 0) != 0) ||
            ::sigprocmask(SIG_SETMASK, &none, nullptr) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
            return failure();
        }
        ::signal(SIGPIPE, SIG_DFL);
        ::signal(SIGXFSZ, SIG_DFL);
        ::signal(SIGTSTP, SIG_DFL);
        if (::getppid() != parent_) {
            ::_exit(127);  // the parent died before the line above could take effect
        }
        // Boost 1.81's own closing of descriptors forgets those between two that it should keep.
        ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
        for (const auto& fd : fds_) {
            // dup2 of a descriptor onto itself would leave it to be closed at exec.
            if (fd.ours == fd.theirs ? ::fcntl(fd.ours, F_SETFD, 0) != 0 : ::dup2(fd.ours, fd.theirs) < 0) {
                return failure();
            }
        }
        if (options_.leads == Leads::session && ::ioctl(0, TIOCSCTTY, 0) != 0) {
            return failure();
        }
        if (options_.limits.core) {
            lower_limit(RLIMIT_CORE, *options_.limits.core);
        }
        if (options_.limits.nofile) {
            lower_limit(RLIMIT_NOFILE, *options_.limits.nofile);
        }
        if (options_.mark) {
            set_supervision_mark(*options_.mark);
        }
        if (!command_.working_dir.empty() && ::chdir(command_.working_dir.c_str()) != 0) {
            return failure();
        }
        return {};
    }

    /// The launcher would run exit() with all its handlers in the child; this ends it before. It looks for
    /// either signature of this hook, hence the template.
    template <typename... Arguments>
    void on_exec_error(Arguments&&... /*unused*/) {
        ::_exit(127);
    }

  private:
    /// The soft limit, as far as the hard one lets it go.
    static void lower_limit(decltype(RLIMIT_CORE) resource, rlim_t value) {
        rlimit limit{};
        if (::getrlimit(resource, &limit) == 0) {
            limit.rlim_cur = value < limit.rlim_max ? value : limit.rlim_max;
            ::setrlimit(resource, &limit);
        }
    }

    const Command& command_;
    const std::vector<BoundFd>& fds_;
    const SpawnOptions& options_;
    char* const* environment_;
    pid_t parent_;
};

/// The environment of the child as execve takes it.
class Environment {
  public:
    Environment(const std::map<std::string, std::string>& changes, bool exact) {
        for (char** entry = environ; !exact && *entry != nullptr; ++entry) {
            const std::string_view text(*entry);
            if (changes.find(std::string(text.substr(0, text.find('=')))) == changes.end()) {
                texts_.emplace_back(text);
            }
        }
        for (const auto& [name, value] : changes) {
            texts_.push_back(fmt::format("{}={}", name, value));
        }
        for (auto& text : texts_) {
            pointers_.push_back(text.data());
        }
        pointers_.push_back(nullptr);
    }
    char* const* get() const { return pointers_.data(); }

  private:
    std::vector<std::string> texts_;
    std::vector<char*> pointers_;
};

/// Descriptors whose numbers would be overwritten by another's target are moved out of the way first.
std::vector<UniqueFd> move_clashing(std::vector<BoundFd>& fds) {
    std::vector<UniqueFd> moved;
    for (auto& fd : fds) {
        for (const auto& other : fds) {
            if (&other != &fd && other.theirs == fd.ours && fd.ours != fd.theirs) {
                moved.emplace_back(::fcntl(fd.ours, F_DUPFD_CLOEXEC, 100));
                if (!moved.back()) {
                    throw SystemError("cannot duplicate a descriptor", errno);
                }
                fd.ours = moved.back().get();
                break;
            }
        }
    }
    return moved;
}

ChildHandle spawn_here(const Command& command, std::vector<BoundFd> fds, const SpawnOptions& options) {
    if (command.argv.empty()) {
        throw Error("a command without a program cannot be run");
    }
    const auto program = find_program(command.argv.front());
    if (!program) {
        const char* path = std::getenv("PATH");
        throw NotFoundError(
            fmt::format("{} is not there or not executable (looked for {})", command.argv.front(),
                        command.argv.front().find('/') == std::string::npos
                            ? fmt::format("on PATH, {}", path == nullptr ? "which is unset" : path)
                            : "that file"));
    }
    if (const int injected = fault::at(fault::Point::spawn, command.argv.front()); injected != 0) {
        throw SystemError("cannot run " + command.argv.front(), injected);
    }
    const auto moved = move_clashing(fds);
    const Environment environment(command.environment, command.exact_environment);
    bp::error_code error;
    bp::posix::default_launcher launcher;
    const std::vector<std::string> arguments(command.argv.begin() + 1, command.argv.end());
    try {
        boost::asio::io_context context;
        // Has the context make its descriptors now: where there are none left for them, before the fork.
        const boost::asio::posix::stream_descriptor first(context);
        auto child = launcher(context.get_executor(), error, program->string(), arguments,
                              ChildSetup(command, fds, options, environment.get()));
        if (!error) {
            child.detach();
        }
    } catch (const boost::system::system_error& failure) {
        error = failure.code();  // it has forked but cannot watch the child: no descriptors
    }
    // Boost 1.81 reaps neither a child that could not execute its program nor one that it cannot watch.
    ChildHandle handle;
    if (launcher.pid > 0) {
        handle = ChildHandle(launcher.pid);
    }
    if (error) {
        handle.kill(Deadline::never());
        throw SystemError("cannot run " + command.argv.front(), error.value());
    }
    return handle;
}

/// Runs jobs on a thread that never ends. One a process: a forked child starts its own.
class SpawnThread {
  public:
    ChildHandle spawn(const Command& command, const std::vector<BoundFd>& fds, const SpawnOptions& options) {
        std::packaged_task<ChildHandle()> task([&] { return spawn_here(command, fds, options); });
        auto child = task.get_future();
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(&task);
        }
        wake_.notify_one();
        return child.get();
    }

    void run() {
        for (;;) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return !tasks_.empty(); });
            auto* task = tasks_.front();
            tasks_.pop_front();
            lock.unlock();
            (*task)();
        }
    }

    static SpawnThread& instance() {
        static std::mutex mutex;
        static SpawnThread* current = nullptr;
        static pid_t owner = 0;
        const std::lock_guard lock(mutex);
        if (owner != ::getpid()) {
            current = new SpawnThread;  // never destroyed: its thread waits on it for ever
            owner = ::getpid();
            sigset_t all;
            sigset_t before;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &before);
            std::thread([thread = current] { thread->run(); }).detach();
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
        }
        return *current;
    }

  private:
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::packaged_task<ChildHandle()>*> tasks_;
};

}  // namespace

ChildHandle spawn(const Command& command, const std::vector<BoundFd>& fds, const SpawnOptions& options) {
    log::debug("running: {}", command.text());
    const bool main_thread = ::syscall(SYS_gettid) == ::getpid();
    return main_thread ? spawn_here(command, fds, options)
                       : SpawnThread::instance().spawn(command, fds, options);
}

UniqueFd open_pidfd(pid_t pid) {
    UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!fd) {
        throw SystemError("cannot watch process " + std::to_string(pid), errno);
    }
    return fd;
}

}  // namespace vt::process
