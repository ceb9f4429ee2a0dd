// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/supervisor.hpp"

#include "runner/nrunner/body_process.hpp"
#include "runner/nrunner/line_splitter.hpp"
#include "runner/nrunner/message.hpp"
#include "runner/nrunner/outbox.hpp"
#include "runner/nrunner/pause.hpp"
#include "runner/process/guardian.hpp"
#include "runner/process/spawn.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <deque>
#include <utility>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::nrunner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t remembered_lines = 3;
constexpr std::size_t longest_batch = std::size_t{64} << 10;
constexpr Seconds batch_time{0.02};
constexpr Seconds sweep_time{2};
constexpr Seconds hurried_sweep_time{0.15};    // inside Avocado's second
constexpr Seconds hurried_delivery_time{0.2};  // there is nobody, or nobody who waits, at the other end
constexpr Seconds time_limit_grace{10};
constexpr Seconds key_repeat{0.7};  // what comes faster is a key that is held down

/// Signals that mean "end" or "pause", held back so that the loop can read them; what was before is put back
/// at the end. A signal that is held back reaches us though Avocado has made us ignore it (SIGTSTP).
class Signals {
  public:
    Signals() {
        sigset_t set;
        sigemptyset(&set);
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGTSTP, SIGCONT}) {
            sigaddset(&set, number);
        }
        ::pthread_sigmask(SIG_BLOCK, &set, &before_);
        fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
        if (!fd_) {
            throw SystemError("cannot read signals", errno);
        }
        // An Avocado in the background ignores what its terminal sends; the body's programs need not inherit
        // that.
        pipe_before_ = ::signal(SIGPIPE, SIG_IGN);
    }
    ~Signals() {
        ::signal(SIGPIPE, pipe_before_);
        ::signal(SIGTSTP, SIG_IGN);  // there is nothing left to pause, and a stopped process would not end
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    int fd() const { return fd_.get(); }
    const sigset_t& before() const { return before_; }
    /// The number of a signal that came; 0 if none did.
    int take() const {
        signalfd_siginfo info{};
        return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
    }

  private:
    UniqueFd fd_;
    sigset_t before_{};
    void (*pipe_before_)(int) = SIG_DFL;
};

bool means_end(int number) {
    return number != SIGTSTP && number != SIGCONT && number != 0;
}

std::string signal_reason(int number) {
    switch (number) {
        case SIGTERM:
            return "Test interrupted: the runner was told to end (SIGTERM), by a timeout of Avocado's or by "
                   "its user";
        case SIGINT:
            return "Test interrupted by the user (SIGINT)";
        default:
            return "Test interrupted: the terminal is gone (SIGHUP)";
    }
}

/// The process whose end is the job's: Avocado, our parent. One that died before we could look has left us to
/// init, whose end nobody sees, and its status server does not answer; a parent outside of our pid namespace
/// (a container whose first process we are) has no number. Then the job's end is ours. In a container Avocado
/// may itself be process 1; its socket tells.
ProcessId find_job_owner(bool has_job, const Outbox& outbox) {
    const pid_t parent = ::getppid();
    const bool ours =
        !has_job || parent == 0 || outbox.nobody_there() || (parent == 1 && outbox.server_pid() != parent);
    return ProcessId::of(ours ? ::getpid() : parent);
}

/// A pidfd of the parent; none if there is no parent to be watched. A parent that was gone before has handed
/// us to its own; that shows in its status server, which is gone too.
UniqueFd open_parent() {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getppid(), 0)));
}

/// One task's supervision, from `started` to `finished`.
class Supervisor {
  public:
    Supervisor(Task task, const TestBody& body, const SupervisorOptions& options)
        : task_(std::move(task)),
          body_function_(body),
          options_(options),
          parent_(options.watch_parent ? open_parent() : UniqueFd()),
          messages_(options.task_messages ? task_.id : "", options.task_messages ? task_.job_id : ""),
          outbox_(task_.status_uris, true),
          owner_(find_job_owner(options.watch_parent && !task_.job_id.empty(), outbox_)) {}

    void run() {
        log::set_sink([this](log::Level level, std::string_view logger, std::string_view line) {
            post_lines();
            outbox_.post(messages_.log(level, logger, format_log_line(level, logger, line)));
        });
        supervise();
        result_ = verdict();
        outbox_.post(messages_.finished(*result_));
        log::set_sink({});
        deliver();
    }

  private:
    /// Everything from the body's start to the end of the last of its processes. Failures become the result.
    void supervise() {
        try {
            ready_output_dir();
        } catch (const std::exception& error) {
            failure_ = error.what();
        }
        outbox_.post(messages_.started(task_.runnable.output_dir));
        if (failure_) {
            return;
        }
        try {
            ::prctl(PR_SET_CHILD_SUBREAPER, 1);
            start_sweeper();
            Deadline::share_pauses();
            body_.emplace(task_, owner_, body_function_, signals_.before());
            while (!end_) {
                turn();
            }
            sweep();
        } catch (const std::exception& error) {
            failure_ = fmt::format("the runner itself failed: {}", error.what());
            body_.reset();
        }
        if (swept_ || !body_) {
            end_sweeper();
        }  // else it goes on where there was no time to
    }

    void start_sweeper() {
        sweeper_pid_ = process::start_sweeper(ProcessId::of(::getpid()));
        sweeper_ = process::open_pidfd(sweeper_pid_);
        spared_.push_back(sweeper_pid_);
    }

    void end_sweeper() {
        if (sweeper_pid_ > 0) {
            ::kill(sweeper_pid_, SIGKILL);
            ::waitpid(sweeper_pid_, nullptr, 0);
            std::erase(spared_, std::exchange(sweeper_pid_, 0));
            sweeper_.reset();
        }
    }

    void ready_output_dir() {
        auto& dir = task_.runnable.output_dir;
        if (dir.empty()) {
            dir = (fs::temp_directory_path() / ".avocado-task-XXXXXX").string();
            if (::mkdtemp(dir.data()) == nullptr) {
                throw SystemError(
                    "cannot make a directory for the results below " + fs::temp_directory_path().string(),
                    errno);
            }
        }
        dir = fs::absolute(dir).lexically_normal().string();
        make_private_directory(dir);
    }

    /// One turn of the loop: waits for whatever comes first and serves all that is there.
    void turn() {
        // While servers do not keep up, the body's words wait in its pipes, and so does the body.
        const bool listen = !outbox_.congested();
        std::vector<pollfd> fds{{signals_.fd(), POLLIN, 0},
                                {parent_.get(), POLLIN, 0},
                                {body_->pidfd(), POLLIN, 0},
                                {listen ? body_->channel_fd() : -1, POLLIN, 0},
                                {listen ? body_->output_fd() : -1, POLLIN, 0},
                                {listen ? body_->error_fd() : -1, POLLIN, 0},
                                {sweeper_.get(), POLLIN, 0}};
        outbox_.add_to(fds);
        int timeout = next_moment().poll_timeout_ms();
        if (const int patience = outbox_.patience_ms();
            patience >= 0 && (timeout < 0 || patience < timeout)) {
            timeout = patience;
        }
        if (::poll(fds.data(), fds.size(), timeout) < 0 && errno != EINTR) {
            throw SystemError("cannot wait for the test", errno);
        }
        outbox_.serve(fds.data() + 7);
        report_problems();
        hear_of_ends(fds);
        if (!stop_reason_ && outbox_.nobody_there()) {
            // Avocado died before we could look at it, so its end cannot be seen any more.
            orphaned_ = true;
            stop("Test interrupted: no status server can be reached, so nobody waits for it",
                 options_.stop_grace);
        }
        if (fds[6].revents != 0) {
            // Whoever killed it may mean us next.
            end_sweeper();
            start_sweeper();
        }
        if (lines_due_.expired()) {
            post_lines();
        }
        if (fds[3].revents != 0) {
            take_packets(64);
        }
        if (fds[4].revents != 0) {
            take_stream("stdout", output_, body_->read_output());
        }
        if (fds[5].revents != 0) {
            take_stream("stderr", error_, body_->read_error());
        }
        if (fds[2].revents != 0) {
            end_ = body_->collect();
        }
    }

    /// When something is due even if nothing is ready. A paused test has no limit.
    Deadline next_moment() const {
        const auto next = kill_at_.sooner(lines_due_).sooner(pause_due_);
        return paused_since_ ? next : next.sooner(limit_);
    }

    void hear_of_ends(const std::vector<pollfd>& fds) {
        if (fds[0].revents != 0) {
            while (const int number = signals_.take()) {
                if (means_end(number)) {
                    stop(signal_reason(number), options_.stop_grace);
                } else {
                    pause_or_resume(number);
                }
            }
        }
        if (pause_due_.expired()) {
            log::warning("the test did not say within {:g} s how one gets into its machines",
                         options_.pause_grace.count());
            pause({});
        }
        if (fds[1].revents != 0) {
            parent_.reset();
            orphaned_ = true;
            stop("Test interrupted: the process that started the runner is gone", options_.stop_grace);
        }
        if (!paused_since_ && limit_.expired()) {
            limit_ = Deadline::never();
            stop(fmt::format("Test interrupted: it took longer than its {} of {:g} s", limit_name_,
                             limit_seconds_),
                 time_limit_grace);
        }
        if (kill_at_.expired()) {
            if (!stop_reason_ && result_) {
                log::warning(
                    "the test's process had reported its result and did not end within {:g} s: killing it",
                    options_.exit_grace.count());
            }
            kill_at_ = Deadline::never();
            body_->kill();
        }
    }

    /// Tells the body once, and grants it \p grace from now; a later, shorter grace counts.
    void stop(const std::string& reason, Seconds grace) {
        if (!stop_reason_) {
            stop_reason_ = reason;
            log::warning("{}", reason);
            body_->tell(Word::stop, reason);
            resume();
        }
        hurried_ = hurried_ || grace <= options_.stop_grace;
        kill_at_ = kill_at_.sooner(Deadline::after(grace));
    }

    /// SIGTSTP pauses and lets go on by turns, SIGCONT lets go on.
    void pause_or_resume(int number) {
        bool repeated = false;
        if (number == SIGTSTP) {
            const auto now = Deadline::Clock::now();
            repeated = now - std::exchange(last_key_, now) < key_repeat;
        }
        if (stop_reason_ || result_ || repeated) {
            return;
        }
        if (paused_since_ || waits_to_pause_) {
            resume();
        } else if (number == SIGTSTP) {
            waits_to_pause_ = true;
            pause_due_ = Deadline::after(options_.pause_grace);
            body_->tell(Word::pause);
        }
    }

    /// Stops the body, which has said (or was not able to say) how a person gets into its machines.
    void pause(const std::string& ways_in) {
        waits_to_pause_ = false;
        pause_due_ = Deadline::never();
        body_->freeze();
        paused_since_ = Deadline::Clock::now();
        post_lines();
        const auto words = pause_words(task_, ways_in);
        log::warning("{}", words);
        tell_terminal(words);
    }

    /// Lets the body go on, wherever a pause stands. The pause is booked before the body can look at a clock.
    void resume() {
        const bool begun = std::exchange(waits_to_pause_, false);
        pause_due_ = Deadline::never();
        if (const auto since = std::exchange(paused_since_, std::nullopt)) {
            const Seconds took = Deadline::Clock::now() - *since;
            Deadline::add_pause(took);
            const auto words = fmt::format("Test {} goes on after a pause of {:.1f} s",
                                           task_.id.empty() ? task_.runnable.uri : task_.id, took.count());
            log::warning("{}", words);
            tell_terminal(words);
        } else if (!begun) {
            return;
        }
        body_->tell(Word::resume);
        body_->thaw();
    }

    void report_problems() {
        for (const auto& problem : outbox_.take_problems()) {
            std::fprintf(stderr, "avocado-runner-vt: %s\n", problem.c_str());
            log::warning("{}", problem);
        }
    }

    /// Takes at most \p count packets, so that none starves the rest of the loop.
    void take_packets(int count) {
        for (; count > 0; --count) {
            const auto packet = body_->read_packet();
            if (!packet) {
                return;
            }
            try {
                auto event = decode_packet(*packet);
                if (!std::holds_alternative<LogLine>(event)) {
                    post_lines();
                }
                std::visit([this](auto& kind) { take(kind); }, event);
            } catch (const PacketError& error) {
                log::warning("the test's process said something that cannot be understood: {}", error.what());
            }
        }
    }

    /// Lines of one logger that come together go together: Avocado takes messages one at a time, and slowly.
    void take(const LogLine& event) {
        // The lines of a long list (the parameters) explain no death.
        if (!event.line.starts_with("    ")) {
            remember(event.line, last_lines_);
        }
        if (lines_ && (lines_->level != event.level || lines_->logger != event.logger ||
                       lines_->line.size() > longest_batch)) {
            post_lines();
        }
        auto text = format_log_line(event.level, event.logger, event.line);
        if (lines_) {
            lines_->line += '\n' + text;
        } else {
            lines_ = LogLine{event.level, event.logger, std::move(text)};
            lines_due_ = Deadline::after(batch_time);
        }
    }
    void post_lines() {
        if (const auto lines = std::exchange(lines_, std::nullopt)) {
            outbox_.post(messages_.log(lines->level, lines->logger, lines->line));
        }
        lines_due_ = Deadline::never();
    }
    void take(const Whiteboard& event) { outbox_.post(messages_.whiteboard(event.text)); }
    void take(const FilePart& event) { outbox_.post(messages_.file(event.name, event.bytes)); }
    void take(const Output& event) { outbox_.post(messages_.output(event.text)); }
    void take(const TimeLimit& event) {
        limit_ = event.seconds > 0 ? Deadline::after(Seconds(event.seconds)) : Deadline::never();
        limit_seconds_ = event.seconds;
        limit_name_ = one_line(event.name, 100);
    }
    void take(const SpareGuardian& event) { job_dirs_.emplace_back(event.job_dir); }
    void take(const ReadyToPause& event) {
        if (waits_to_pause_) {
            pause(event.ways_in);
        }
    }
    void take(Done& event) {
        waits_to_pause_ = false;
        pause_due_ = Deadline::never();
        if (!result_ && !stop_reason_) {
            result_ = std::move(event.result);
            limit_ = Deadline::never();
            kill_at_ = Deadline::after(options_.exit_grace);
        }
    }

    void take_stream(std::string_view name, LineSplitter& lines, const std::optional<std::string>& bytes) {
        const auto whole = bytes ? lines.feed(*bytes) : lines.flush();
        if (whole.empty()) {
            return;
        }
        post_lines();
        remember(whole, name == "stderr" ? last_errors_ : last_lines_);
        outbox_.post(messages_.stream(name, whole));
    }

    /// Keeps the last lines, for the reason of a body that cannot give one.
    static void remember(std::string_view text, std::deque<std::string>& lines) {
        for (const auto& line : split(text, '\n')) {
            if (auto clean = one_line(line, 300); !clean.empty()) {
                lines.push_back(std::move(clean));
            }
        }
        while (lines.size() > remembered_lines) {
            lines.pop_front();
        }
    }

    /// What was said on standard error is the nearest to a cause, whenever it was read.
    std::string last_words() const {
        auto lines = last_lines_;
        lines.insert(lines.end(), last_errors_.begin(), last_errors_.end());
        while (lines.size() > std::max(remembered_lines, last_errors_.size() + 1)) {
            lines.pop_front();
        }
        return join({lines.begin(), lines.end()}, " | ");
    }

    /// After the body's end: ends whatever it left, and takes the last of its words.
    void sweep() {
        take_packets(1 << 20);
        for (const auto& dir : job_dirs_) {
            if (const auto guardian = process::Guardian::running(dir)) {
                spared_.push_back(guardian->pid);
            }
        }
        body_->kill();
        const auto deadline = Deadline::after(hurried_ ? hurried_sweep_time : sweep_time);
        const auto killed = process::kill_descendants(spared_, deadline);
        swept_ = !deadline.expired();
        if (killed > 0) {
            log::warning("{} process(es) that the test had left were killed", killed);
        }
        post_lines();
        drain("stdout", output_, &BodyProcess::read_output, &BodyProcess::output_fd);
        drain("stderr", error_, &BodyProcess::read_error, &BodyProcess::error_fd);
        if (!result_) {
            reap();
        }
    }

    void drain(std::string_view name, LineSplitter& lines, std::optional<std::string> (BodyProcess::*read)(),
               int (BodyProcess::*fd)() const) {
        while ((*body_.*fd)() >= 0) {
            const auto bytes = (*body_.*read)();
            if (bytes && bytes->empty()) {
                break;  // somebody still holds the other end
            }
            take_stream(name, lines, bytes);
        }
        take_stream(name, lines, std::nullopt);
    }

    /// What the dead body's journal lists goes now rather than with the next command.
    static void reap() {
        try {
            Journal::reap(RuntimeDirs::make().journal());
        } catch (const std::exception& error) {
            log::warning("what the test left cannot be taken down now: {}", error.what());
        }
    }

    TestResult verdict() {
        if (stop_reason_) {
            return {Status::interrupted, *stop_reason_, "TestInterrupt", {}, {}};
        }
        if (failure_) {
            return {Status::error, *failure_, "RunnerError", {}, {}};
        }
        if (result_) {
            return *result_;
        }
        TestResult result{Status::error, {}, "TestProcessError", {}, {}};
        result.returncode = end_->signal != 0 ? -end_->signal : end_->code;
        result.reason = fmt::format("The test's process ended before the test did: {}", end_->text());
        if (const auto words = last_words(); !words.empty()) {
            result.reason += fmt::format(". The last it said: {}", words);
        }
        return result;
    }

    /// Sees the messages off. Waits as long as a server lives that has not taken all of them, and somebody
    /// wants it.
    void deliver() {
        auto deadline = orphaned_ ? Deadline::after(hurried_delivery_time) : Deadline::never();
        while (!outbox_.idle() && !deadline.expired()) {
            std::vector<pollfd> fds{{signals_.fd(), POLLIN, 0}, {parent_.get(), POLLIN, 0}};
            outbox_.add_to(fds);
            int timeout = deadline.poll_timeout_ms();
            if (const int patience = outbox_.patience_ms();
                patience >= 0 && (timeout < 0 || patience < timeout)) {
                timeout = patience;
            }
            ::poll(fds.data(), fds.size(), timeout);
            outbox_.serve(fds.data() + 2);
            if ((fds[0].revents != 0 && means_end(signals_.take())) || fds[1].revents != 0) {
                parent_.reset();
                deadline = deadline.sooner(Deadline::after(hurried_delivery_time));
            }
        }
        for (const auto& problem : outbox_.take_problems()) {
            std::fprintf(stderr, "avocado-runner-vt: %s\n", problem.c_str());
        }
    }

    Task task_;
    const TestBody& body_function_;
    SupervisorOptions options_;
    Signals signals_;
    UniqueFd parent_;
    MessageMaker messages_;
    Outbox outbox_;
    ProcessId owner_;
    std::optional<BodyProcess> body_;
    LineSplitter output_;
    LineSplitter error_;
    bool swept_ = false;  ///< nothing of the test's is left
    pid_t sweeper_pid_ = 0;
    UniqueFd sweeper_;  ///< its pidfd
    std::vector<pid_t> spared_;
    std::vector<fs::path> job_dirs_;
    std::deque<std::string> last_lines_;   ///< of the log and standard output
    std::deque<std::string> last_errors_;  ///< of standard error
    std::optional<LogLine> lines_;         ///< formatted, not yet posted
    Deadline lines_due_ = Deadline::never();

    std::optional<TestResult> result_;        ///< the body's own
    std::optional<std::string> failure_;      ///< of the supervisor
    std::optional<std::string> stop_reason_;  ///< why the body was told to end
    std::optional<process::ExitStatus> end_;  ///< the body's
    bool orphaned_ = false;                   ///< the parent is gone
    bool hurried_ = false;                    ///< Avocado's second is running
    Deadline limit_ = Deadline::never();      ///< the test's own
    double limit_seconds_ = 0;
    std::string limit_name_;
    Deadline kill_at_ = Deadline::never();

    bool waits_to_pause_ = false;  ///< the body was told of the pause and has not answered
    Deadline pause_due_ = Deadline::never();
    Deadline::Clock::time_point last_key_{};
    std::optional<Deadline::Clock::time_point> paused_since_;
};

}  // namespace

int run_task(Task task, const TestBody& body, const SupervisorOptions& options) {
    Supervisor(std::move(task), body, options).run();
    return 0;
}

}  // namespace vt::nrunner
