// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/supervisor.hpp"

#include "runner/io/poll_set.hpp"
#include "runner/nrunner/body_process.hpp"
#include "runner/nrunner/log_feed.hpp"
#include "runner/nrunner/message.hpp"
#include "runner/nrunner/outbox.hpp"
#include "runner/nrunner/pause_switch.hpp"
#include "runner/nrunner/results_disk.hpp"
#include "runner/nrunner/runner_signals.hpp"
#include "runner/nrunner/sweeper_watch.hpp"
#include "runner/process/guardian.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"
#include "runner/support/log_bound.hpp"
#include "runner/support/runtime_dirs.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vt::nrunner {
namespace {

namespace fs = std::filesystem;

constexpr Seconds sweep_time{2};
constexpr Seconds hurried_sweep_time{0.15};    // inside Avocado's second
constexpr Seconds hurried_delivery_time{0.1};  // there is nobody, or nobody who waits, at the other end
constexpr Seconds time_limit_grace{10};
constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr double default_log_limit = 64;  // MiB

/// The bound of each of a test's logs, in bytes; 0: none.
std::size_t wanted_log_limit(const Runnable& runnable) {
    const auto value = runnable.setting("vt.common.log_limit");
    double number = default_log_limit;
    if (value.is_number()) {
        number = value.get<double>();
    } else if (value.is_string()) {
        try {
            number = std::stod(value.get<std::string>());
        } catch (const std::exception&) {  // limited as without the setting
        }
    }
    return number <= 0 ? 0 : static_cast<std::size_t>(number * static_cast<double>(mebibyte));
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

/// One task's supervision, from `started` to `finished`: the loop, and what each thing that comes means.
class Supervisor {
  public:
    Supervisor(Task task, const TestBody& body, const SupervisorOptions& options)
        : task_(std::move(task)),
          body_function_(body),
          options_(options),
          parent_(options.watch_parent ? open_parent() : UniqueFd()),
          messages_(options.task_messages ? task_.id : "", options.task_messages ? task_.job_id : ""),
          outbox_(task_.status_uris, true),
          sweeper_(outbox_, messages_, task_.runnable.output_dir),
          owner_(find_job_owner(options.watch_parent && !task_.job_id.empty(), outbox_)),
          feed_(
              messages_, [this](const Message& message) { outbox_.post(message); },
              wanted_log_limit(task_.runnable)),
          pause_(task_, options.pause_grace) {
        set_log_limit(wanted_log_limit(task_.runnable));
    }

    void run() {
        log::set_sink([this](log::Level level, std::string_view logger, std::string_view line) {
            feed_.flush();
            outbox_.post(messages_.log(level, logger, format_log_line(level, logger, line)));
        });
        supervise();
        feed_.finish(hurried_);
        result_ = verdict();
        outbox_.post_last(messages_.finished(*result_));
        log::set_sink({});
        deliver();
        if ((swept_ || !body_) && outbox_.idle()) {
            sweeper_.end();
        }  // else it goes on, with sweeping or with telling, where there was no time to
    }

  private:
    /// Everything from the body's start to the end of the last of its processes. Failures become the result.
    void supervise() {
        try {
            ready_output_dir();
            if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
                throw SystemError("cannot become the parent of what the test leaves", errno);
            }
            sweeper_.start();
        } catch (const std::exception& error) {
            failure_ = error.what();
        }
        outbox_.post(messages_.started(task_.runnable.output_dir));
        if (failure_) {
            return;
        }
        try {
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
        PollSet polls;
        const auto signal = polls.add(signals_.fd());
        const auto parent = polls.add(parent_.get());
        const auto body_end = polls.add(body_->pidfd());
        const auto packets = polls.add(listen ? body_->channel_fd() : -1);
        const auto output = polls.add(listen ? body_->output_fd() : -1);
        const auto error = polls.add(listen ? body_->error_fd() : -1);
        const auto sweeper = polls.add(sweeper_.fd());
        const auto servers = outbox_.add_to(polls);
        polls.wait_ms(sooner_ms(next_moment().poll_timeout_ms(), outbox_.patience_ms()));
        outbox_.serve(polls, servers);
        report_problems();
        hear_signals(polls.ready(signal));
        pause_.serve(*body_);
        hear_of_ends(polls.ready(parent));
        if (polls.ready(sweeper)) {
            sweeper_.replace();
        }
        if (feed_.due().expired()) {
            feed_.flush();
        }
        if (polls.ready(packets)) {
            take_packets(64);
        }
        if (polls.ready(output)) {
            take_stream(Stream::output, body_->read_output());
        }
        if (polls.ready(error)) {
            take_stream(Stream::error, body_->read_error());
        }
        if (polls.ready(body_end)) {
            end_ = body_->collect();
        }
    }

    /// When something is due even if nothing is ready. A paused test has no limit.
    Deadline next_moment() const {
        const auto next = kill_at_.sooner(feed_.due()).sooner(pause_.next_moment());
        return pause_.paused() ? next : next.sooner(limit_);
    }

    void hear_signals(bool came) {
        while (came) {
            const int number = signals_.take();
            if (means_end(number)) {
                stop(signal_reason(number), options_.stop_grace);
            } else if (number != 0) {
                feed_.flush();
                pause_.take_signal(number, *body_, !stop_reason_ && !result_);
            }
            came = number != 0;
        }
    }

    void hear_of_ends(bool parent_ended) {
        if (parent_ended) {
            parent_.reset();
            orphaned_ = true;
            stop("Test interrupted: the process that started the runner is gone", options_.stop_grace);
        }
        if (!stop_reason_ && outbox_.nobody_there()) {
            // Avocado died before we could look at it, so its end cannot be seen any more.
            orphaned_ = true;
            stop("Test interrupted: no status server can be reached, so nobody waits for it",
                 options_.stop_grace);
        }
        if (!pause_.paused() && limit_.expired()) {
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
            pause_.resume(*body_);
        }
        hurried_ = hurried_ || grace <= options_.stop_grace;
        kill_at_ = kill_at_.sooner(Deadline::after(grace));
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
                    feed_.flush();
                }
                std::visit([this](auto& kind) { take(kind); }, event);
            } catch (const PacketError& error) {
                log::warning("the test's process said something that cannot be understood: {}", error.what());
            }
        }
    }

    void take(const LogLine& event) { feed_.take(event); }
    void take(const Whiteboard& event) { outbox_.post(messages_.whiteboard(event.text)); }
    void take(const FilePart& event) { outbox_.post(messages_.file(event.name, event.bytes)); }
    void take(const Output& event) { outbox_.post(messages_.output(event.text)); }
    void take(const TimeLimit& event) {
        limit_ = event.seconds > 0 ? Deadline::after(Seconds(event.seconds)) : Deadline::never();
        limit_seconds_ = event.seconds;
        limit_name_ = one_line(event.name, 100);
    }
    void take(const SpareGuardian& event) { job_dirs_.emplace_back(event.job_dir); }
    void take(const ReadyToPause& event) { pause_.take_answer(event.ways_in, *body_); }
    void take(Done& event) {
        pause_.call_off();
        if (!result_ && !stop_reason_) {
            result_ = std::move(event.result);
            limit_ = Deadline::never();
            kill_at_ = Deadline::after(options_.exit_grace);
        }
    }

    void take_stream(Stream stream, const std::optional<std::string>& bytes) {
        if (bytes) {
            feed_.take(stream, *bytes);
        } else {
            feed_.end(stream);
        }
    }

    /// After the body's end: ends whatever it left, and takes the last of its words.
    void sweep() {
        take_packets(1 << 20);
        std::vector<pid_t> spared{sweeper_.pid()};
        for (const auto& dir : job_dirs_) {
            if (const auto guardian = process::Guardian::running(dir)) {
                spared.push_back(guardian->pid);
            }
        }
        body_->kill();
        const auto deadline = Deadline::after(hurried_ ? hurried_sweep_time : sweep_time);
        const auto killed = process::kill_descendants(spared, deadline);
        swept_ = !deadline.expired();
        if (killed > 0) {
            log::warning("{} process(es) that the test had left were killed", killed);
        }
        feed_.flush();
        drain(Stream::output, &BodyProcess::read_output, &BodyProcess::output_fd);
        drain(Stream::error, &BodyProcess::read_error, &BodyProcess::error_fd);
        if (!result_) {
            reap();
        }
    }

    void drain(Stream stream, std::optional<std::string> (BodyProcess::*read)(),
               int (BodyProcess::*fd)() const) {
        while ((*body_.*fd)() >= 0) {
            const auto bytes = (*body_.*read)();
            if (bytes && bytes->empty()) {
                break;  // somebody still holds the other end
            }
            take_stream(stream, bytes);
        }
        take_stream(stream, std::nullopt);
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
            return with_disk_trouble(*result_, task_.runnable.output_dir);
        }
        TestResult result{Status::error, {}, "TestProcessError", {}, {}};
        result.returncode = end_->signal != 0 ? -end_->signal : end_->code;
        result.reason = fmt::format("The test's process ended before the test did: {}", end_->text());
        if (const auto words = feed_.last_words(); !words.empty()) {
            result.reason += fmt::format(". The last it said: {}", words);
        }
        return result;
    }

    /// Sees the messages off. Waits as long as a server lives that has not taken all of them, and somebody
    /// wants it: inside Avocado's second, when there is nobody who would wait longer. What a server has not
    /// read by then it gets no more of, but for `finished`, which the sweeper goes on to offer.
    void deliver() {
        auto deadline = orphaned_ || hurried_ ? Deadline::after(hurried_delivery_time) : Deadline::never();
        bool dropped = false;
        while (!outbox_.idle()) {
            if (deadline.expired()) {
                if (std::exchange(dropped, true)) {
                    break;
                }
                outbox_.drop_all_but_last();
                deadline = Deadline::after(hurried_delivery_time);
            }
            PollSet polls;
            const auto signal = polls.add(signals_.fd());
            const auto parent = polls.add(parent_.get());
            const auto servers = outbox_.add_to(polls);
            polls.wait_ms(sooner_ms(deadline.poll_timeout_ms(), outbox_.patience_ms()));
            outbox_.serve(polls, servers);
            if ((polls.ready(signal) && means_end(signals_.take())) || polls.ready(parent)) {
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
    RunnerSignals signals_;
    UniqueFd parent_;
    MessageMaker messages_;
    Outbox outbox_;
    SweeperWatch sweeper_;
    ProcessId owner_;
    LogFeed feed_;
    PauseSwitch pause_;
    std::optional<BodyProcess> body_;
    std::vector<fs::path> job_dirs_;  ///< whose guardians outlive this task

    std::optional<TestResult> result_;        ///< the body's own
    std::optional<std::string> failure_;      ///< of the supervisor
    std::optional<std::string> stop_reason_;  ///< why the body was told to end
    std::optional<process::ExitStatus> end_;  ///< the body's
    bool swept_ = false;                      ///< nothing of the test's is left
    bool orphaned_ = false;                   ///< the parent is gone
    bool hurried_ = false;                    ///< Avocado's second is running
    Deadline limit_ = Deadline::never();      ///< the test's own
    double limit_seconds_ = 0;
    std::string limit_name_;
    Deadline kill_at_ = Deadline::never();
};

}  // namespace

int run_task(Task task, const TestBody& body, const SupervisorOptions& options) {
    Supervisor(std::move(task), body, options).run();
    return 0;
}

}  // namespace vt::nrunner
