// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/body_process.hpp"

#include "runner/process/spawn.hpp"
#include "runner/support/error.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::nrunner {

/// What the body does when told something; shared with the thread that is told.
struct Handlers {
    std::mutex mutex;
    std::function<void(const std::string&)> stop;
    std::function<std::string()> before_pause;
    std::function<void()> after_pause;
};

void BodyContext::on_stop(std::function<void(const std::string& reason)> handler) {
    const std::lock_guard lock(handlers_->mutex);
    handlers_->stop = std::move(handler);
}

void BodyContext::on_pause(std::function<std::string()> before, std::function<void()> after) {
    const std::lock_guard lock(handlers_->mutex);
    handlers_->before_pause = std::move(before);
    handlers_->after_pause = std::move(after);
}

/// Hears the supervisor's words on a thread of its own, whatever the test does.
class Listener {
  public:
    static void listen(BodyContext& context) {
        context.handlers_ = std::make_shared<Handlers>();
        std::thread([handlers = context.handlers_, &channel = context.channel()] {
            hear(channel, *handlers);
        }).detach();
    }

  private:
    static void hear(BodyChannel& channel, Handlers& handlers) {
        for (;;) {
            std::array<char, 4096> buffer{};
            const ssize_t size = ::recv(channel.fd(), buffer.data(), buffer.size(), 0);
            if (size < 0 && errno == EINTR) {
                continue;
            }
            if (size <= 0) {
                return;  // the supervisor is gone, and the kernel ends this process too
            }
            const std::string text(buffer.data() + 1, static_cast<std::size_t>(size - 1));
            const std::lock_guard lock(handlers.mutex);
            switch (static_cast<Word>(buffer[0])) {
                case Word::stop:
                    obey("taking the test's machines down", [&] {
                        if (handlers.stop) {
                            handlers.stop(text);
                        }
                    });
                    ::kill(0, SIGKILL);  // whatever the test is doing; nothing is left to be told
                    return;
                case Word::pause: {
                    std::string ways_in;
                    obey("readying the test for a pause",
                         [&] { ways_in = handlers.before_pause ? handlers.before_pause() : ""; });
                    channel.ready_to_pause(ways_in);
                    break;
                }
                case Word::resume:
                    obey("going on after the pause", [&] {
                        if (handlers.after_pause) {
                            handlers.after_pause();
                        }
                    });
                    break;
            }
        }
    }

    template <typename Action>
    static void obey(const char* what, Action&& action) {
        try {
            action();
        } catch (const std::exception& error) {
            log::warning("{}: {}", what, error.what());
        }
    }
};

namespace {

struct PipeEnds {
    UniqueFd ours;
    UniqueFd theirs;
};

/// The supervisor's loop must not wait on one of its descriptors.
void never_wait(const UniqueFd& fd) {
    if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
        throw SystemError("cannot read without waiting from the test's process", errno);
    }
}

PipeEnds make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw SystemError("cannot make a pipe for the test's output", errno);
    }
    PipeEnds pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    never_wait(pipe.ours);
    ::fcntl(pipe.ours.get(), F_SETPIPE_SZ,
            1 << 20);  // a user who has many pipes is refused, and has a slower one
    return pipe;
}

PipeEnds make_channel() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw SystemError("cannot make the channel to the test's process", errno);
    }
    PipeEnds channel{UniqueFd(ends[0]), UniqueFd(ends[1])};
    never_wait(channel.ours);
    return channel;
}

/// Ends this process, the body's, with words that become the test's reason.
[[noreturn]] void give_up(const UniqueFd& error, const char* what) {
    const auto words = fmt::format("the test's process cannot {}: {}\n", what, errno_text(errno));
    if (::write(error.get(), words.data(), words.size()) < 0) {  // then the exit status has to do
    }
    ::_exit(1);
}

/// The body's ties to the supervisor \p parent, whose end is its own, and its descriptors: the three standard
/// ones and \p channel, whose new number is returned. Everything else was the supervisor's.
int settle(pid_t parent, const UniqueFd& output, const UniqueFd& error, const UniqueFd& channel) {
    // The supervisor does the same, and whoever comes second may be refused because the first was there.
    ::setpgid(0, 0);
    if (::getpgrp() != ::getpid()) {
        give_up(error, "lead a process group");
    }
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        give_up(error, "be bound to its supervisor");
    }
    if (::getppid() != parent) {
        ::_exit(1);
    }
    ::prctl(PR_SET_NAME, "vt-test");  // only for people who look
    const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (::dup2(null.get(), STDIN_FILENO) < 0 || ::dup2(output.get(), STDOUT_FILENO) < 0 ||
        ::dup2(error.get(), STDERR_FILENO) < 0) {
        give_up(error, "have its standard descriptors");
    }
    constexpr int place = 3;
    if (channel.get() != place && ::dup3(channel.get(), place, O_CLOEXEC) != place) {
        give_up(error, "have the channel to its supervisor");
    }
    if (::syscall(SYS_close_range, unsigned{place + 1}, ~0U, 0U) != 0) {
        give_up(error, "close its supervisor's descriptors");
    }
    // Lines appear when they are written, whatever the C library thinks of pipes.
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    return place;
}

TestResult run_guarded(const TestBody& body, BodyContext& context) {
    try {
        return body(context);
    } catch (const std::exception& error) {
        return {Status::error, error.what(), "Error", {}, {}};
    } catch (...) {
        return {Status::error, "the test threw something that is no exception", {}, {}, {}};
    }
}

[[noreturn]] void live(const Task& task, const ProcessId& owner, const TestBody& body, UniqueFd socket,
                       const sigset_t& mask) {
    BodyChannel channel(std::move(socket));
    log::set_sink([&](log::Level level, std::string_view logger, std::string_view line) {
        channel.log(level, logger, line);
    });
    BodyContext context(task, channel, task.runnable.output_dir, owner);
    Listener::listen(context);  // with every signal still blocked
    ::pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    const auto result = run_guarded(body, context);
    context.on_stop({});
    context.on_pause({}, {});
    std::cout.flush();
    std::fflush(nullptr);
    channel.result(result);
    // No destructors of statics and no exit handlers: threads of the test may still run.
    ::_exit(0);
}

}  // namespace

BodyProcess::BodyProcess(const Task& task, const ProcessId& owner, const TestBody& body,
                         const sigset_t& mask) {
    auto output = make_pipe();
    auto error = make_pipe();
    auto channel = make_channel();
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) {
        throw SystemError("cannot start the test's process", errno);
    }
    if (pid_ == 0) {
        const int place = settle(parent, output.theirs, error.theirs, channel.theirs);
        live(task, owner, body, UniqueFd(place), mask);
    }
    ::setpgid(pid_, pid_);  // whoever of the two comes first
    pidfd_ = process::open_pidfd(pid_);
    output_ = std::move(output.ours);
    error_ = std::move(error.ours);
    channel_ = std::move(channel.ours);
}

BodyProcess::~BodyProcess() {
    if (pid_ > 0 && !collected_) {
        kill();
        ::waitpid(pid_, nullptr, 0);
    }
}

std::optional<std::string> BodyProcess::read(UniqueFd& fd) {
    std::string buffer(std::size_t{64} << 10, '\0');
    const auto size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return std::string();
    }
    if (size <= 0) {
        fd.reset();
        return std::nullopt;
    }
    buffer.resize(static_cast<std::size_t>(size));
    return buffer;
}

std::optional<std::string> BodyProcess::read_packet() {
    std::string buffer(packet_limit + (std::size_t{16} << 10), '\0');
    const auto size = ::recv(channel_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return std::nullopt;
    }
    if (size <= 0) {
        channel_.reset();
        return std::nullopt;
    }
    buffer.resize(static_cast<std::size_t>(size));
    return buffer;
}

void BodyProcess::tell(Word word, const std::string& text) {
    const auto packet = static_cast<char>(word) + text.substr(0, 4000);
    ::send(channel_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void BodyProcess::freeze() {
    if (!collected_) {
        process::stop_tree(pid_);
    }
}

void BodyProcess::thaw() {
    if (!collected_) {
        process::continue_tree(pid_);
    }
}

void BodyProcess::kill() {
    if (!collected_) {
        ::kill(-pid_, SIGKILL);
        ::kill(pid_, SIGKILL);
    }
}

process::ExitStatus BodyProcess::collect() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    collected_ = true;
    return process::ExitStatus::from_wait(status);
}

}  // namespace vt::nrunner
