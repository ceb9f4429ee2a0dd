// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/supervised.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/pipe.hpp"
#include "runner/process/spawn.hpp"
#include "runner/process/supervised_state.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::process {
namespace asio = boost::asio;

namespace {

/// How long the end of what got SIGKILL is awaited; a machine under load may take long to schedule it.
constexpr Seconds death{20};

/// Reads one output pipe on the loop. All on the loop's thread.
class PipeReader : public std::enable_shared_from_this<PipeReader> {
  public:
    PipeReader(asio::io_context& context, UniqueFd fd, std::shared_ptr<SupervisedState> state,
               OutputSink& sink)
        : pipe_(context), state_(std::move(state)), sink_(sink) {
        pipe_.assign(fd.get());
        fd.release();
    }

    void start() {
        pipe_.async_wait(asio::posix::descriptor_base::wait_read,
                         [self = shared_from_this()](const auto& error) {
                             if (!error && !self->closed_ && self->read(longest_turn)) {
                                 self->start();
                             }
                         });
    }

    /// What the process wrote before its end is in the pipe, and no more than a pipe holds.
    void drain() {
        if (!closed_) {
            const int size = ::fcntl(pipe_.native_handle(), F_GETPIPE_SZ);
            read(size > 0 ? static_cast<std::size_t>(size) : longest_turn);
        }
        sink_.finish_line();
    }

    void close() {
        closed_ = true;
        boost::system::error_code ignored;
        pipe_.close(ignored);
    }

  private:
    /// After so many bytes other pipes get their turn.
    static constexpr std::size_t longest_turn = std::size_t{1} << 20;

    /// Takes up to about \p most bytes; false once nobody can write any more.
    bool read(std::size_t most) {
        for (std::size_t taken = 0; taken < most;) {
            const auto got = ::read(pipe_.native_handle(), chunk_.data(), chunk_.size());
            if (got > 0) {
                sink_.take({chunk_.data(), static_cast<std::size_t>(got)});
                taken += static_cast<std::size_t>(got);
            } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
                sink_.finish_line();
                close();
                return false;
            } else if (errno == EAGAIN) {
                return true;
            }
        }
        return true;
    }

    asio::posix::stream_descriptor pipe_;
    std::shared_ptr<SupervisedState> state_;  ///< owns the sink
    OutputSink& sink_;
    bool closed_ = false;
    std::array<char, 65536> chunk_{};
};

/// What the loop has of one process. All on the loop's thread.
class LoopSide : public std::enable_shared_from_this<LoopSide> {
  public:
    explicit LoopSide(std::shared_ptr<SupervisedState> state)
        : state_(std::move(state)), watcher_(state_->loop.context()) {}

    void start(UniqueFd out, UniqueFd err, UniqueFd pidfd) {
        auto& context = state_->loop.context();
        watcher_.assign(pidfd.get());
        pidfd.release();
        readers_.push_back(std::make_shared<PipeReader>(context, std::move(out), state_, *state_->out));
        if (err) {
            readers_.push_back(std::make_shared<PipeReader>(context, std::move(err), state_, *state_->err));
        }
        for (const auto& reader : readers_) {
            reader->start();
        }
        watcher_.async_wait(asio::posix::descriptor_base::wait_read,
                            [self = shared_from_this()](const auto& error) {
                                if (!error && !self->closed_) {
                                    self->on_end();
                                }
                            });
    }

    void close() {
        closed_ = true;
        boost::system::error_code ignored;
        watcher_.close(ignored);
        for (const auto& reader : readers_) {
            reader->close();
        }
        readers_.clear();
    }

  private:
    void on_end() {
        for (const auto& reader : readers_) {
            reader->drain();
        }
        ExitStatus how;
        try {
            const std::lock_guard lock(state_->mutex);
            state_->ended_at = std::chrono::steady_clock::now();
            how = state_->child.reap(Deadline::never()).value_or(ExitStatus{});
            state_->status = how;
        } catch (const Error& error) {
            log::warning("how {} ended is not known: {}", state_->name, error.what());
            const std::lock_guard lock(state_->mutex);
            state_->status = how;
        }
        try {
            if (state_->description.on_exit) {
                state_->description.on_exit(how);
            }
        } catch (const std::exception& error) {
            log::warning("a handler of the end of {} failed: {}", state_->name, error.what());
        }
        state_->ended_flag.set();
        boost::system::error_code ignored;
        watcher_.close(ignored);
    }

    std::shared_ptr<SupervisedState> state_;
    asio::posix::stream_descriptor watcher_;  ///< of a duplicate of the child's pidfd
    std::vector<std::shared_ptr<PipeReader>> readers_;
    bool closed_ = false;
};

/// Writes without SIGPIPE, which is the whole process's: pending before or not, it is as it was afterwards.
class NoSigpipe {
  public:
    NoSigpipe() {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~NoSigpipe() {
        const timespec now{};
        while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    NoSigpipe(const NoSigpipe&) = delete;
    NoSigpipe& operator=(const NoSigpipe&) = delete;

  private:
    sigset_t pipe_{};
    sigset_t before_{};
    bool was_pending_ = false;
};

/// The name of the program that \p pid runs.
std::string program_of(pid_t pid) {
    try {
        const auto line = read_file(fmt::format("/proc/{}/cmdline", pid), std::size_t{4} << 20);
        const auto name = std::filesystem::path(line.substr(0, line.find('\0'))).filename().string();
        return name.empty() ? "a program" : name;
    } catch (const Error&) {  // gone in between
        return "a program";
    }
}

}  // namespace

struct Supervised::Impl {
    Impl(IoLoop& loop, Description description)
        : state(std::make_shared<SupervisedState>(loop, std::move(description))) {
        try {
            start();
        } catch (...) {
            end();
            throw;
        }
    }
    ~Impl() { end(); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void start() {
        auto command = state->description.command;
        command.argv.insert(command.argv.begin(), state->description.prefix.begin(),
                            state->description.prefix.end());
        auto out = Pipe::make();
        auto err = command.merge_stderr ? Pipe{} : Pipe::make();
        Pipe in;
        const auto stdin_of_child = open_input(in);
        SpawnOptions options;
        options.limits = state->description.limits;
        options.mark = state->mark;
        const int errors = command.merge_stderr ? out.write.get() : err.write.get();
        state->child =
            spawn(command, {{stdin_of_child.get(), 0}, {out.write.get(), 1}, {errors, 2}}, options);
        started = true;
        state->id = ProcessId::of(state->child.pid());
        state->input = std::move(in.write);
        auto pidfd = duplicate_fd(state->child.pidfd());
        for (const int fd : {out.read.get(), err.read.get(), state->input.get()}) {
            set_non_blocking(fd);
        }
        side = std::make_shared<LoopSide>(state);
        std::exception_ptr failure;
        state->loop.run_there([&] {
            try {
                side->start(std::move(out.read), std::move(err.read), std::move(pidfd));
                watched = true;
            } catch (const std::exception& error) {
                failure = std::make_exception_ptr(
                    Error(fmt::format("the output of {} cannot be read: {}", state->name, error.what())));
            }
        });
        if (failure) {
            std::rethrow_exception(failure);
        }
        if (std::holds_alternative<std::monostate>(state->description.ready)) {
            start_keep_alive();
        }
    }

    UniqueFd open_input(Pipe& pipe) {
        const auto& input = state->description.input;
        switch (input.kind) {
            case InputFrom::Kind::none:
                return open_null();
            case InputFrom::Kind::file: {
                UniqueFd fd(::open(input.file.c_str(), O_RDONLY | O_CLOEXEC));
                if (!fd) {
                    throw SystemError(
                        "cannot open " + input.file.string() + " as the input of " + state->name, errno);
                }
                return fd;
            }
            case InputFrom::Kind::text:
                return in_memory(state->description.command.input);
            case InputFrom::Kind::pipe:
                pipe = Pipe::make();
                return std::move(pipe.read);
        }
        return open_null();
    }

    void start_keep_alive() {
        const std::lock_guard lock(keep_alive_mutex);
        if (state->description.keep_alive && !keep_alive.joinable()) {
            keep_alive = std::thread([this] { probe_again_and_again(*state->description.keep_alive); });
        }
    }

    void probe_again_and_again(const KeepAlive& how) {
        for (int failed = 0;;) {
            if (state->await(given_up.fd(), Deadline::after(how.interval), nullptr) !=
                SupervisedState::Woken::deadline) {
                return;
            }
            failed = passes(how) ? 0 : failed + 1;
            if (failed < how.failures || state->ended()) {
                continue;
            }
            const auto reason = fmt::format("it failed its keep-alive {} times in a row", failed);
            log::warning("{}: {}", state->name, reason);
            state->note(reason);
            state->signal(how.signal, true);
            if (how.on_failure) {
                how.on_failure(reason);
            }
            return;
        }
    }

    bool passes(const KeepAlive& how) const {
        try {
            return how.probe(Deadline::after(how.timeout));
        } catch (const std::exception& error) {
            log::debug("the keep-alive of {}: {}", state->name, error.what());
            return false;
        }
    }

    /// Waits until the loop has noticed the end; by the child's own handle if the loop does not watch it.
    std::optional<ExitStatus> await_end(const Deadline& deadline,
                                        const Interrupt* interrupt = nullptr) const {
        if (state->loop.is_here() && !state->ended()) {
            throw Error("a handler must not wait for the end of " + state->name);
        }
        if (state->await(-1, deadline, interrupt) == SupervisedState::Woken::deadline) {
            return std::nullopt;
        }
        return state->ended();
    }

    ExitStatus killed() {
        state->signal(SIGKILL, true);
        const auto how = await_end(Deadline::after(death));
        if (!how) {
            throw TimeoutError(
                fmt::format("{} (process {}) did not die of SIGKILL within {:g} s; it sleeps "
                            "uninterruptibly in the kernel",
                            state->name, state->id.pid, death.count()));
        }
        sweep();
        return *how;
    }

    /// What it left behind. After its end nobody new can carry the mark.
    void sweep() {
        if (!swept.exchange(true)) {
            kill_supervised(state->mark, Deadline::after(death));
        }
    }

    void end() noexcept {
        try {
            given_up.set();
            if (keep_alive.joinable()) {
                keep_alive.join();
            }
            if (watched && !state->loop.is_here() && !state->ended()) {
                state->signal(SIGKILL, true);
                state->await(-1, Deadline::after(death), nullptr);
            }
            if (side) {
                state->loop.run_there([this] { side->close(); });
            }
            if (started) {
                ChildHandle rest;
                {
                    const std::lock_guard lock(state->mutex);
                    std::swap(rest, state->child);
                }
                rest.kill(Deadline::after(death));
                sweep();
            }
        } catch (const std::exception& error) {
            log::warning("{} cannot be ended: {}", state->name, error.what());
        }
        // Handlers go here, with their owner, not with the last of the loop's references.
        state->description = {};
        if (side) {
            state->loop.run_there([this] {
                state->out.reset();
                state->err.reset();
            });
        }
    }

    std::shared_ptr<SupervisedState> state;
    std::shared_ptr<LoopSide> side;
    bool started = false;
    bool watched = false;
    std::atomic<bool> swept{false};
    Flag given_up;
    std::mutex keep_alive_mutex;
    std::thread keep_alive;
};

Supervised::Supervised(IoLoop& loop, Description description)
    : impl_(std::make_unique<Impl>(loop, std::move(description))) {}
Supervised::Supervised(Supervised&&) noexcept = default;
Supervised& Supervised::operator=(Supervised&&) noexcept = default;
Supervised::~Supervised() = default;

const std::string& Supervised::name() const {
    return impl_->state->name;
}
pid_t Supervised::pid() const {
    return impl_->state->id.pid;
}
ProcessId Supervised::id() const {
    return impl_->state->id;
}
std::chrono::steady_clock::time_point Supervised::started_at() const {
    return impl_->state->started;
}
bool Supervised::running() const {
    return !impl_->state->ended_flag.is_set();
}
std::optional<ExitStatus> Supervised::status() const {
    return impl_->state->ended();
}
int Supervised::ended_fd() const {
    return impl_->state->ended_flag.fd();
}

ExitStatus Supervised::wait(const Deadline& deadline, const Interrupt* interrupt) const {
    if (const auto how = impl_->await_end(deadline, interrupt)) {
        return *how;
    }
    throw TimeoutError(
        fmt::format("{} did not end within {:g} s: {}", name(), deadline.total().count(), report()));
}

void Supervised::wait_ready(const Deadline& deadline, const Interrupt* interrupt) {
    if (!impl_->state->ready_flag.is_set()) {
        await_ready(*impl_->state, deadline, interrupt);
    }
    impl_->start_keep_alive();
}

void Supervised::signal(int signal, bool whole_group) {
    impl_->state->signal(signal, whole_group);
}

void Supervised::write(std::string_view bytes, const Deadline& deadline) {
    auto& state = *impl_->state;
    const std::lock_guard lock(state.input_mutex);
    if (!state.input) {
        throw Error("the standard input of " + state.name + " is no pipe or has been closed");
    }
    const NoSigpipe quiet;
    while (!bytes.empty()) {
        const auto count = ::write(state.input.get(), bytes.data(), bytes.size());
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            if (!vt::wait_ready(state.input.get(), POLLOUT, deadline)) {
                throw TimeoutError(fmt::format("{} did not read its input within {:g} s", state.name,
                                               deadline.total().count()));
            }
        } else if (errno != EINTR) {
            throw SystemError("cannot write to " + state.name, errno);
        }
    }
}

void Supervised::close_input() {
    const std::lock_guard lock(impl_->state->input_mutex);
    impl_->state->input.reset();
}

ExitStatus Supervised::stop(const Deadline& deadline) {
    const auto& rule = impl_->state->description.stop;
    if (!impl_->state->ended()) {
        signal(rule.signal, rule.whole_group);
        signal(SIGCONT, rule.whole_group);  // one that was stopped could not act on it
        if (const auto how = impl_->await_end(deadline.sooner(Deadline::after(rule.grace)))) {
            impl_->sweep();
            return *how;
        }
        log::debug("{} does not end by signal {}: killing it", name(), rule.signal);
    }
    return impl_->killed();
}

ExitStatus Supervised::kill() {
    return impl_->killed();
}

std::vector<std::string> Supervised::left_behind(const Deadline& deadline) const {
    std::vector<std::string> found;
    for (const pid_t pid : supervised_processes(impl_->state->mark)) {
        if (pid == this->pid()) {
            continue;
        }
        const UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!handle || vt::wait_ready(handle.get(), POLLIN, deadline)) {
            continue;
        }
        found.push_back(fmt::format("{} (process {})", program_of(pid), pid));
    }
    return found;
}

std::vector<std::string> Supervised::last_lines(Stream stream) const {
    return (stream == Stream::out ? impl_->state->out : impl_->state->err)->last_lines();
}

std::string Supervised::report() const {
    return impl_->state->report();
}

std::optional<std::size_t> await_any_end(const std::vector<const Supervised*>& processes,
                                         const Deadline& deadline, const Interrupt* interrupt) {
    std::vector<pollfd> fds;
    fds.reserve(processes.size() + 1);
    for (const auto* process : processes) {
        fds.push_back({process->ended_fd(), POLLIN, 0});
    }
    fds.push_back({interrupt == nullptr ? -1 : interrupt->fd(), POLLIN, 0});
    for (;;) {
        const int count = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot wait for processes", errno);
        }
        const auto ended =
            std::find_if(fds.begin(), fds.end() - 1, [](const pollfd& fd) { return fd.revents != 0; });
        if (count > 0 && ended != fds.end() - 1) {
            return static_cast<std::size_t>(ended - fds.begin());
        }
        if (interrupt != nullptr && interrupt->reason()) {
            throw InterruptedError(*interrupt->reason());
        }
        if (count <= 0 && deadline.expired()) {
            return std::nullopt;
        }
    }
}

std::vector<std::string> under_gdb() {
    return {"gdb", "-q", "-batch", "-ex", "run", "-ex", "thread apply all bt", "--args"};
}

std::vector<std::string> under_gdbserver(const std::string& address) {
    return {"gdbserver", address};
}

std::vector<std::string> under_valgrind(const std::vector<std::string>& options) {
    std::vector<std::string> words{"valgrind"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
}

}  // namespace vt::process
