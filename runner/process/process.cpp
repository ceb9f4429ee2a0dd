// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/process.hpp"

#include "runner/process/pipe.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fmt/core.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::process {
namespace {

namespace fs = std::filesystem;

/// Reads what is there. Returns false once nothing will ever come (end, error); true to go on waiting.
template <typename Take>
bool drain(int fd, const Take& take) {
    std::array<char, 65536> buffer;
    for (;;) {
        const auto count = ::read(fd, buffer.data(), buffer.size());
        if (count > 0) {
            take(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
        } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
            return false;
        } else if (errno == EAGAIN) {
            return true;
        }
    }
}

/// Writes what fits of \p text from \p offset on; returns the new offset, the text's size once the reader is
/// gone.
std::size_t feed(int fd, const std::string& text, std::size_t offset) {
    const auto count = ::write(fd, text.data() + offset, text.size() - offset);
    if (count < 0) {
        return errno == EAGAIN || errno == EINTR ? offset : text.size();
    }
    return offset + static_cast<std::size_t>(count);
}

/// Keeps the last \p limit bytes, trimming rarely so that appending stays linear.
void append_bounded(std::string& text, std::string_view more, std::size_t limit) {
    text += more;
    if (text.size() > 2 * limit) {
        text.erase(0, text.size() - limit);
    }
}

void finish_bounded(std::string& text, std::size_t limit) {
    if (text.size() > limit) {
        text.erase(0, text.size() - limit);
    }
}

/// The child of run(): pumps its three streams until it has ended.
class RunningCommand {
  public:
    RunningCommand(const Command& command, std::size_t limit) : command_(command), limit_(limit) {
        auto in = Pipe::make();
        auto out = Pipe::make();
        auto err = Pipe::make();
        child_ = spawn(command, {{in.read.get(), 0},
                                 {out.write.get(), 1},
                                 {command.merge_stderr ? out.write.get() : err.write.get(), 2}});
        in_ = std::move(in.write);
        out_ = std::move(out.read);
        err_ = std::move(err.read);
        for (const int fd : {in_.get(), out_.get(), err_.get()}) {
            set_non_blocking(fd);
        }
    }

    Completed finish(const Deadline& deadline) {
        while (!step(deadline)) {
        }
        Completed completed;
        completed.status = *child_.reap(Deadline::never());
        finish_bounded(stdout_, limit_);
        finish_bounded(stderr_, limit_);
        completed.out = std::move(stdout_);
        completed.err = std::move(stderr_);
        return completed;
    }

  private:
    /// Waits for one event and serves it. Returns true once the process has ended and its pipes are drained.
    bool step(const Deadline& deadline) {
        if (in_ && fed_ == command_.input.size()) {
            in_.reset();
        }
        std::array<pollfd, 4> fds{pollfd{child_.pidfd(), POLLIN, 0}, pollfd{out_.get(), POLLIN, 0},
                                  pollfd{err_.get(), POLLIN, 0}, pollfd{in_.get(), POLLOUT, 0}};
        const int count = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot wait for " + command_.text(), errno);
        }
        if (count == 0 && deadline.expired()) {
            throw TimeoutError(
                fmt::format("the command {} did not end within {:g} s; the last it printed: {}",
                            command_.text(), deadline.total().count(), last_line()));
        }
        // What the process wrote before its end is in the pipes; what grandchildren may write later is not
        // awaited.
        const bool ended = (fds[0].revents & POLLIN) != 0;
        if (out_ && !drain(out_.get(), [&](auto text) { append_bounded(stdout_, text, limit_); })) {
            out_.reset();
        }
        if (err_ && !drain(err_.get(), [&](auto text) { append_bounded(stderr_, text, limit_); })) {
            err_.reset();
        }
        if (in_ && (fds[3].revents & (POLLOUT | POLLERR)) != 0) {
            fed_ = feed(in_.get(), command_.input, fed_);
        }
        return ended;
    }

    std::string last_line() const {
        const auto& text = stderr_.empty() ? stdout_ : stderr_;
        const auto end =
            trim(std::string_view(text).substr(text.size() - std::min<std::size_t>(text.size(), 300)));
        const auto start = end.rfind('\n');
        return end.empty() ? "nothing"
                           : std::string(start == std::string_view::npos ? end : end.substr(start + 1));
    }

    const Command& command_;
    std::size_t limit_;
    ChildHandle child_;
    UniqueFd in_;
    UniqueFd out_;
    UniqueFd err_;
    std::size_t fed_ = 0;
    std::string stdout_;
    std::string stderr_;
};

}  // namespace

std::optional<fs::path> find_program(std::string_view program) {
    const auto executable = [](const fs::path& path) {
        std::error_code ignored;
        return fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0;
    };
    if (program.empty()) {
        return std::nullopt;
    }
    if (program.find('/') != std::string_view::npos) {
        return executable(program) ? std::optional(fs::path(program)) : std::nullopt;
    }
    const char* path = std::getenv("PATH");
    for (const auto& dir : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
        const auto candidate = fs::path(dir.empty() ? "." : dir) / program;
        if (executable(candidate)) {
            return candidate;
        }
    }
    return std::nullopt;
}

Completed run(const Command& command, const Deadline& deadline, std::size_t output_limit) {
    return RunningCommand(command, output_limit).finish(deadline);
}

Completed check(const Command& command, const Deadline& deadline, std::size_t output_limit) {
    auto completed = run(command, deadline, output_limit);
    if (!completed.status.ok()) {
        throw CommandError(command, std::move(completed));
    }
    return completed;
}

struct Child::Impl {
    std::string name;
    LineHandler on_line;
    ChildHandle child;
    UniqueFd output;
    std::string partial;

    void pass_lines(std::string_view text) {
        partial += text;
        std::size_t start = 0;
        for (auto end = partial.find('\n'); end != std::string::npos; end = partial.find('\n', start)) {
            on_line(std::string_view(partial).substr(start, end - start));
            start = end + 1;
        }
        partial.erase(0, start);
    }

    void read_output() {
        if (output && !drain(output.get(), [this](auto text) { pass_lines(text); })) {
            output.reset();
        }
    }

    void collect() {
        read_output();
        if (!partial.empty()) {
            on_line(partial);
            partial.clear();
        }
        output.reset();
        child.reap(Deadline::never());
    }

    /// Serves events until the process has ended (true) or the deadline has passed (false).
    bool await_end(const Deadline& deadline) {
        while (child) {
            std::array<pollfd, 2> fds{pollfd{child.pidfd(), POLLIN, 0}, pollfd{output.get(), POLLIN, 0}};
            const int count = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
            if (count < 0 && errno != EINTR) {
                throw SystemError("cannot wait for " + name, errno);
            }
            if (count > 0 && (fds[0].revents & POLLIN) != 0) {
                collect();
            } else {
                read_output();
                if (count == 0 && deadline.expired()) {
                    return false;
                }
            }
        }
        return true;
    }
};

Child::Child(const Command& command, LineHandler on_line) : impl_(std::make_unique<Impl>()) {
    impl_->name = command.text();
    impl_->on_line = std::move(on_line);
    const auto null = open_null();
    Pipe pipe;
    if (impl_->on_line) {
        pipe = Pipe::make();
    }
    const int output = impl_->on_line ? pipe.write.get() : null.get();
    const auto input = command.input.empty() ? UniqueFd() : in_memory(command.input);
    impl_->child = spawn(command, {{input ? input.get() : null.get(), 0}, {output, 1}, {output, 2}});
    impl_->output = std::move(pipe.read);
    if (impl_->output) {
        set_non_blocking(impl_->output.get());
    }
}

Child::Child(Child&&) noexcept = default;

Child::~Child() = default;

pid_t Child::pid() const {
    return impl_->child.pid();
}
int Child::pidfd() const {
    return impl_->child.pidfd();
}
bool Child::running() {
    return !impl_->await_end(Deadline::after(Seconds(0)));
}
std::optional<ExitStatus> Child::status() const {
    return impl_->child.status();
}

ExitStatus Child::wait(const Deadline& deadline) {
    if (!impl_->await_end(deadline)) {
        throw TimeoutError(
            fmt::format("{} did not end within {:g} s", impl_->name, deadline.total().count()));
    }
    return *impl_->child.status();
}

void Child::signal(int signal) {
    impl_->child.signal_group(signal);
}

ExitStatus Child::terminate(Seconds grace) {
    signal(SIGTERM);
    if (!impl_->await_end(Deadline::after(grace))) {
        signal(SIGKILL);
        impl_->await_end(Deadline::never());
    }
    return *impl_->child.status();
}

}  // namespace vt::process
