// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Who takes part in a plan: processes, and functions that run in threads.
///
/// Both are started once, end once, and say so by a descriptor, so that the executor can wait for any of them
/// without asking around. A process is supervised (runner/process/supervised.hpp): its output is pumped into
/// NAME.stdout and NAME.stderr, and what it started dies with it. A thread cannot be killed; it is asked to
/// end by its stop token.
#pragma once

#include "runner/process/exit_status.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <chrono>
#include <csignal>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace vt {
class IoLoop;
}

namespace vt::plan {

/// How a participant ends: its exit code, or nothing if a signal killed it.
using ExitCode = std::optional<int>;
/// "exit code 1", "a signal".
std::string exit_text(const ExitCode& code);

/// What a participant is doing.
enum class State { not_started, started, stopped };
/// "NOT-STARTED", "STARTED", "STOPPED".
std::string_view state_name(State state);

/// One row of a plan's timeline. Thread-safe once started; made and started by one thread.
class Participant {
  public:
    using Clock = std::chrono::steady_clock;

    Participant(const Participant&) = delete;
    Participant& operator=(const Participant&) = delete;
    virtual ~Participant();

    /// Unique in its plan: "echo", "echo-1".
    const std::string& name() const { return name_; }
    /// What it is, for tables: a command line, or "a thread".
    virtual std::string what() const = 0;
    /// `<Process echo in state STARTED>`.
    virtual std::string text() const = 0;

    virtual State state() const = 0;
    /// Starts it. Throws Error if it was started before, SystemError.
    virtual void start() = 0;
    /// Asks it to end, by \p signal where it is a process. Throws Error unless it runs.
    virtual void kill(int signal = SIGTERM) = 0;
    /// Ends it whatever it takes, with all that it started; returns when it is gone. Nothing if it was never
    /// started.
    virtual void end() = 0;
    /// Readable once it has ended; -1 before the start.
    virtual int ended_fd() const = 0;
    /// How it ended; only to be asked once it has.
    virtual ExitCode exit_code() const = 0;
    /// What a thread's function threw; null for none and for processes.
    virtual std::exception_ptr failure() const { return nullptr; }
    /// What a person wants to know of its end: status and last lines of its standard error; empty if there is
    /// nothing to add to the code.
    virtual std::string last_words() const { return {}; }

    /// When it was started and when its end was noticed; nothing before that.
    virtual std::optional<Clock::time_point> began() const = 0;
    virtual std::optional<Clock::time_point> ended() const = 0;

  protected:
    explicit Participant(std::string name) : name_(std::move(name)) {}

  private:
    std::string name_;
};

using ParticipantPtr = std::shared_ptr<Participant>;

/// A process of a plan. No standard input; FLU_DEBUG=5 in its environment, as Flumotion has it.
class Process final : public Participant {
  public:
    /// \p argv[0] is looked up on PATH. The files NAME.stdout and NAME.stderr are made in \p log_dir at the
    /// start. \p loop reads its output. Throws CommandNotFound.
    Process(std::shared_ptr<IoLoop> loop, std::string name, std::vector<std::string> argv,
            std::filesystem::path log_dir);
    ~Process() override;

    std::string what() const override;
    std::string text() const override;
    State state() const override;
    void start() override;
    void kill(int signal = SIGTERM) override;
    void end() override;
    int ended_fd() const override;
    ExitCode exit_code() const override;
    std::string last_words() const override;
    std::optional<Clock::time_point> began() const override;
    std::optional<Clock::time_point> ended() const override;

    /// The command line; its first word is the program's full path.
    const std::vector<std::string>& argv() const { return argv_; }
    const std::filesystem::path& log_dir() const { return log_dir_; }
    /// Its number; nothing before the start.
    std::optional<pid_t> pid() const;
    /// How it ended, once it has.
    std::optional<process::ExitStatus> status() const;

  private:
    struct Run;
    std::shared_ptr<IoLoop> loop_;  ///< shared: an exception that names a process may outlive its plan
    std::vector<std::string> argv_;
    std::filesystem::path log_dir_;
    std::unique_ptr<Run> run_;
};

/// A function that takes part in a plan: it ends with code 0 when it returns, with none when it was killed.
class Thread final : public Participant {
  public:
    using Function = std::function<void(const std::stop_token& stop)>;

    /// \p function runs in a thread of its own and should return soon when it is asked to stop. What it
    /// throws ends the plan.
    Thread(std::string name, Function function);
    ~Thread() override;

    std::string what() const override;
    std::string text() const override;
    State state() const override;
    void start() override;
    void kill(int signal = SIGTERM) override;
    /// Waits some seconds for the function to heed its stop token; then the thread is left to itself, with a
    /// warning in the log.
    void end() override;
    int ended_fd() const override;
    ExitCode exit_code() const override;
    std::exception_ptr failure() const override;
    std::optional<Clock::time_point> began() const override;
    std::optional<Clock::time_point> ended() const override;

  private:
    struct Shared;
    std::shared_ptr<Shared> shared_;  ///< with the thread, which may outlive this object
};

/// Names for participants: that of the program or function, then NAME-1, NAME-2, …
class Names {
  public:
    /// A name for \p command ("echo", "/bin/echo": both "echo") that nobody has yet.
    std::string next(std::string_view command);

  private:
    std::vector<std::string> taken_;
};

}  // namespace vt::plan
