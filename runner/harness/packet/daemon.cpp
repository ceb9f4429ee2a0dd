// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/daemon.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/log_watch.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/log_bound.hpp"
#include "runner/support/pattern.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <limits>
#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace vt::packet {
namespace fs = std::filesystem;
namespace {

/// A daemon that prints without end must not fill the memory.
constexpr std::size_t most_kept_bytes = std::size_t{8} << 20;
constexpr std::size_t most_output = std::size_t{64} << 20;
/// How long gdb may look into a core.
constexpr Seconds gdb_patience{60};
/// How long the end of what was stopped is awaited, behind the grace of its StopRule.
constexpr Seconds death_patience{30};

/// Lines as they come, for those who wait for them; the oldest go where they are too many.
class LineStore {
  public:
    void add(process::Stream stream, std::string_view line) {
        const std::lock_guard lock(mutex_);
        bytes_ += line.size();
        lines_.push_back({next_++, stream, std::string(line)});
        while (bytes_ > most_kept_bytes && lines_.size() > 1) {
            bytes_ -= lines_.front().text.size();
            lines_.pop_front();
        }
        changed_.notify_all();
    }

    /// Nothing comes any more.
    void finish() {
        const std::lock_guard lock(mutex_);
        finished_ = true;
        changed_.notify_all();
    }

    Daemon::Lines take(const Deadline& deadline) {
        std::unique_lock lock(mutex_);
        await(lock, deadline, [&] { return taken_ < next_; });
        Daemon::Lines found;
        for (const auto& line : lines_) {
            if (line.number >= taken_) {
                (line.stream == process::Stream::out ? found.out : found.err).push_back(line.text);
            }
        }
        taken_ = next_;
        return found;
    }

    /// The first line that matches, among those that are kept and those that come.
    std::optional<std::string> find(const Pattern& pattern, const Deadline& deadline) {
        std::unique_lock lock(mutex_);
        std::uint64_t looked = 0;
        std::optional<std::string> found;
        await(lock, deadline, [&] {
            for (const auto& line : lines_) {
                if (line.number >= looked && pattern.search(line.text)) {
                    found = line.text;
                    return true;
                }
            }
            looked = next_;
            return false;
        });
        return found;
    }

  private:
    struct Line {
        std::uint64_t number;
        process::Stream stream;
        std::string text;
    };

    /// Until \p what is true, nothing comes any more, or \p deadline passed.
    template <typename Condition>
    void await(std::unique_lock<std::mutex>& lock, const Deadline& deadline, const Condition& what) {
        constexpr Seconds longest{3600};  // a condition variable cannot wait for ever by a duration
        while (!what() && !finished_ && !deadline.expired()) {
            changed_.wait_for(lock, std::min(deadline.remaining(), longest));
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Line> lines_;
    std::size_t bytes_ = 0;
    std::uint64_t next_ = 0;
    std::uint64_t taken_ = 0;
    bool finished_ = false;
};

std::vector<std::string> prefix_of(const DaemonOptions& options) {
    std::vector<std::string> words;
    if (options.debug == Debug::gdbserver) {
        words = process::under_gdbserver(options.gdbserver_address);
    }
    if (options.cpu) {
        words.insert(words.end(), {"taskset", "-c", std::to_string(*options.cpu)});
    }
    if (options.network) {
        const auto enter = options.network->enter_words();
        words.insert(words.end(), enter.begin(), enter.end());
    }
    return words;
}

}  // namespace

struct Daemon::Impl {
    Impl(IoLoop& its_loop, DaemonOptions its_options) : loop(its_loop), options(std::move(its_options)) {
        if (options.argv.empty()) {
            throw Error("a daemon without a program cannot be run");
        }
        // With words before it, a missing program would be theirs to complain about.
        const auto program = process::find_program(options.argv.front());
        if (!program) {
            throw process::NotFoundError(fmt::format(
                "the daemon {} is not there or not executable; install it, or name it by its path",
                options.argv.front()));
        }
        options.argv.front() = program->string();
        if (options.name.empty()) {
            options.name = program->filename().string();
        }
        const auto prefix = prefix_of(options);
        command_line = prefix;
        command_line.insert(command_line.end(), options.argv.begin(), options.argv.end());
        for (const auto stream : {process::Stream::out, process::Stream::err}) {
            write_file_atomically(file_of(stream), "", 0600);  // of an earlier run
        }
        supervised.emplace(loop, described(prefix));
        for (const auto stream : {process::Stream::out, process::Stream::err}) {
            watches.push_back(std::make_unique<LogWatch>(loop, file_of(stream)));
        }
    }

    fs::path file_of(process::Stream stream) const {
        return options.directory / (options.name + (stream == process::Stream::out ? ".stdout" : ".stderr"));
    }

    process::OutputTo output_to(process::Stream stream) {
        process::OutputTo to;
        to.file = file_of(stream);
        to.append = true;
        to.on_line = [this, stream](std::string_view line) { lines.add(stream, line); };
        return to;
    }

    process::Description described(std::vector<std::string> prefix) {
        process::Description it;
        it.name = options.name;
        it.command.argv = options.argv;
        it.command.environment = options.environment;
        it.command.working_dir = options.directory;
        it.prefix = std::move(prefix);
        it.out = output_to(process::Stream::out);
        it.err = output_to(process::Stream::err);
        it.ready = options.ready;
        it.keep_alive = options.keep_alive;
        it.stop = options.stop;
        it.limits.core = options.core_size.value_or(std::numeric_limits<std::uint64_t>::max());
        it.on_exit = [this](const process::ExitStatus& how) {
            if (!stopping) {
                death->raise(fmt::format("{} ended unasked: {}", options.name, how.text()));
            }
            lines.finish();
        };
        return it;
    }

    /// What is known of its death, the core looked into.
    std::string obituary() {
        const std::lock_guard lock(mutex);
        if (told.empty()) {
            told = supervised->report();
            if (const auto found = core()) {
                told += fmt::format("; its core is {}", found->string());
                log::error("{}; debug it with: gdb {} {}", told, options.argv.front(), found->string());
                if (const auto stacks =
                        backtrace(options.argv.front(), *found, Deadline::after(gdb_patience))) {
                    log::error("{}", *stacks);
                    write_file_atomically(options.directory / (options.name + ".backtrace"), *stacks, 0600);
                }
            } else {
                log::error("{}", told);
            }
        }
        return told;
    }

    std::optional<fs::path> core() const {
        return find_core(options.directory, core_pattern(), supervised->pid(),
                         fs::path(options.argv.front()).filename().string());
    }

    IoLoop& loop;
    DaemonOptions options;
    std::vector<std::string> command_line;
    std::shared_ptr<Interrupt> death = std::make_shared<Interrupt>();
    std::atomic<bool> stopping{false};
    LineStore lines;
    std::vector<std::unique_ptr<LogWatch>> watches;
    std::mutex mutex;
    std::string told;
    std::optional<process::Supervised> supervised;  ///< last, as its handlers use the rest
};

Daemon::Daemon(IoLoop& loop, DaemonOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}

Daemon::~Daemon() {
    impl_->stopping = true;
    impl_->lines.finish();
}

const std::string& Daemon::name() const {
    return impl_->options.name;
}
const DaemonOptions& Daemon::options() const {
    return impl_->options;
}
const std::vector<std::string>& Daemon::command_line() const {
    return impl_->command_line;
}
pid_t Daemon::pid() const {
    return impl_->supervised->pid();
}
bool Daemon::running() const {
    return impl_->supervised->running();
}
std::optional<process::ExitStatus> Daemon::status() const {
    return impl_->supervised->status();
}
std::shared_ptr<Interrupt> Daemon::death() const {
    return impl_->death;
}

void Daemon::wait_ready() {
    const bool debugged = impl_->options.debug == Debug::gdb || impl_->options.debug == Debug::gdbserver;
    try {
        impl_->supervised->wait_ready(debugged ? Deadline::never()
                                               : Deadline::after(impl_->options.start_timeout));
    } catch (const process::EndedError&) {
        throw DaemonDied("it ended before it was ready: " + impl_->obituary());
    }
}

void Daemon::check() {
    if (!impl_->stopping && !impl_->supervised->running()) {
        throw DaemonDied(impl_->obituary());
    }
}

process::ExitStatus Daemon::wait(const Deadline& deadline) {
    return impl_->supervised->wait(deadline);
}

void Daemon::signal(int signal) {
    impl_->supervised->signal(signal, false);
}

process::ExitStatus Daemon::stop() {
    impl_->stopping = true;
    return impl_->supervised->stop(Deadline::after(impl_->options.stop.grace + death_patience));
}

std::string Daemon::output(process::Stream stream) const {
    return read_tail(impl_->file_of(stream), most_output);
}

Daemon::Lines Daemon::take_lines(const Deadline& deadline) {
    return impl_->lines.take(deadline);
}

void Daemon::release_readers() {
    impl_->lines.finish();
}

std::string Daemon::wait_for_line(const std::string& pattern, const Deadline& deadline) {
    if (const auto line = impl_->lines.find(Pattern(pattern), deadline)) {
        return *line;
    }
    check();
    throw TimeoutError(fmt::format("no line of {} matched \"{}\" within {:g} s; {}", name(), pattern,
                                   deadline.total().count(), report()));
}

std::optional<fs::path> Daemon::core() const {
    return impl_->core();
}

std::vector<std::string> Daemon::debug_help() const {
    const auto& options = impl_->options;
    if (options.debug == Debug::gdbserver) {
        return {fmt::format("gdb {} -ex 'target remote {}'", options.argv.front(), options.gdbserver_address),
                "Run the above, set breakpoints, and let the daemon go on with \"continue\"."};
    }
    if (options.debug == Debug::gdb) {
        return {fmt::format("gdb {} -ex 'attach {}'", options.argv.front(), pid()),
                "Run the above and set breakpoints."};
    }
    return {};
}

std::string Daemon::report() const {
    return impl_->supervised->report();
}

}  // namespace vt::packet
