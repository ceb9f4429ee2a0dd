// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A process under supervision: a daemon under test, a step of a plan, the server of a driver.
///
/// It is started from a description, and from then on its output is read by the IoLoop whatever its owner
/// does, so that a chatty process never blocks; its end is noticed when it happens. What is awaited (ready,
/// ended, any of several ended) is awaited on descriptors with a Deadline. At the end nothing of it is left:
/// not its group, nor what left its group, its session and its parent. Those are known by a mark that every
/// descendant inherits, see SupervisionMark in sweeper.hpp; no cgroup is needed.
///
/// Handlers run on the loop's thread: they must be short, must not wait for this process or another one, and
/// must not destroy the object. What may take its time (ReadyAnswer, KeepAlive) runs elsewhere.
#pragma once

#include "runner/io/interrupt.hpp"
#include "runner/process/output_sink.hpp"
#include "runner/process/process.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/journal.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace vt {
class IoLoop;
}

namespace vt::process {

/// Where a process's standard input comes from.
struct InputFrom {
    enum class Kind {
        none,  ///< /dev/null
        file,  ///< \ref file
        text,  ///< Command::input, then its end
        pipe,  ///< Supervised::write() and close_input()
    };
    Kind kind = Kind::none;
    std::filesystem::path file;
};

/// An output stream.
enum class Stream { out, err };

/// Ready when a line matches.
struct ReadyLine {
    std::string pattern;  ///< a regular expression (PCRE2), searched in each line
    enum class In { any, out, err, file };
    In in = In::any;             ///< any: standard output or error
    std::filesystem::path file;  ///< for In::file; need not exist yet; read from its beginning
};

/// Ready when somebody accepts connections there. The connection is closed at once.
struct ReadySocket {
    std::filesystem::path path;  ///< a Unix stream socket; empty: TCP
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
};

/// Ready when this file exists.
struct ReadyFile {
    std::filesystem::path path;
};

/// Ready when a question is answered with yes. Asked on the thread that waits.
struct ReadyAnswer {
    /// Returns true when it is ready. Must return by the deadline; an exception ends the wait.
    std::function<bool(const Deadline& deadline)> ask;
    Seconds interval{0.1};  ///< between two questions
    std::string what;       ///< for messages: "the answer to a ping"
};

/// When a process counts as ready; monostate: as soon as it runs.
using ReadyWhen = std::variant<std::monostate, ReadyLine, ReadySocket, ReadyFile, ReadyAnswer>;

/// A probe that a process has to pass again and again. Runs on a thread of its own from the time the process
/// is ready (wait_ready() has returned; without a condition from the start).
struct KeepAlive {
    /// Returns true when it is well. Must return by the deadline; an exception counts as no.
    std::function<bool(const Deadline& deadline)> probe;
    Seconds interval{1};  ///< between two probes
    Seconds timeout{10};  ///< how long one may take
    int failures = 1;     ///< this many in a row are one too many
    /// What the process then gets: SIGABRT leaves a core where Limits::core allows.
    int signal = 9;
    /// Called after the signal was sent, on the probe's thread.
    std::function<void(const std::string& reason)> on_failure;
};

/// How a process is stopped.
struct StopRule {
    int signal = 15;
    Seconds grace{5};         ///< then it gets SIGKILL
    bool whole_group = true;  ///< the first signal goes to the whole group rather than to the process alone
};

/// Words that run another program under a debugger; for Description::prefix.
/// Batch gdb: runs it, prints all threads' stacks if it is killed by a signal.
std::vector<std::string> under_gdb();
/// gdbserver on \p address ("localhost:7777"), waiting for a debugger.
std::vector<std::string> under_gdbserver(const std::string& address);
/// valgrind with \p options ("--leak-check=full").
std::vector<std::string> under_valgrind(const std::vector<std::string>& options = {});

/// All that Supervised has to know.
struct Description {
    std::string name;  ///< for messages; the program's name if empty
    Command command;   ///< merge_stderr: standard error goes where standard output goes, \ref err is unused
    std::vector<std::string> prefix;  ///< words before the command (under_gdb())
    InputFrom input;
    OutputTo out;
    OutputTo err;
    ReadyWhen ready;
    std::optional<KeepAlive> keep_alive;
    StopRule stop;
    Limits limits;
    /// Called on the loop's thread when it has ended, after the last of its output was passed on.
    std::function<void(const ExitStatus& status)> on_exit;
};

/// It ended before it was ready; what() has the status and its last lines.
class EndedError : public Error {
  public:
    EndedError(const std::string& text, const ExitStatus& status) : Error(text), status_(status) {}
    const ExitStatus& status() const { return status_; }

  private:
    ExitStatus status_;
};

/// A process under supervision. Every call is safe from several threads.
class Supervised {
  public:
    /// Starts it. \p loop must outlive the object. Throws NotFoundError, SystemError, Error for a wrong
    /// pattern; then nothing runs.
    Supervised(IoLoop& loop, Description description);
    Supervised(Supervised&&) noexcept;
    /// What it held before ends as in the destructor.
    Supervised& operator=(Supervised&&) noexcept;
    /// Kills it with all that it started. Handlers do not run any more once this returns.
    ~Supervised();

    const std::string& name() const;
    pid_t pid() const;
    ProcessId id() const;
    /// Monotonic time of the start.
    std::chrono::steady_clock::time_point started_at() const;

    /// True until its end has been noticed and the last of its output been passed on.
    bool running() const;
    /// How it ended, once it has.
    std::optional<ExitStatus> status() const;
    /// Readable once it has ended (running() is false), for poll sets; valid while this object lives.
    int ended_fd() const;
    /// Waits for the end. Throws TimeoutError (it goes on), InterruptedError with the reason of \p interrupt
    /// (may be null).
    ExitStatus wait(const Deadline& deadline, const Interrupt* interrupt = nullptr) const;

    /// Waits until it is ready. Throws EndedError if it ends before, TimeoutError (it goes on),
    /// InterruptedError. Returns at once when it has been ready before.
    void wait_ready(const Deadline& deadline, const Interrupt* interrupt = nullptr);

    /// Sends \p signal to its group, or to it alone; nothing if it has ended.
    void signal(int signal, bool whole_group = true);
    /// Writes to its standard input (InputFrom::Kind::pipe). Throws TimeoutError, SystemError (EPIPE when it
    /// does not read any more), Error without a pipe.
    void write(std::string_view bytes, const Deadline& deadline);
    /// The end of its standard input; idempotent.
    void close_input();

    /// Ends it as StopRule says, at \p deadline by SIGKILL at the latest, and then what it left behind.
    /// Returns how it ended; at once if it had ended. Throws TimeoutError if not even SIGKILL ends it.
    ExitStatus stop(const Deadline& deadline);
    /// SIGKILL for it and all that it started. Throws TimeoutError if it does not die.
    ExitStatus kill();

    /// What it has left running, once it has ended: "qemu-nbd (process 12)" for each process that it or
    /// another one of these started and that has not ended by \p deadline. They go with stop(), kill() or
    /// this object.
    std::vector<std::string> left_behind(const Deadline& deadline) const;

    /// The last lines of a stream, oldest first.
    std::vector<std::string> last_lines(Stream stream) const;
    /// A sentence for people: "vpp (process 12) was killed by SIGSEGV (core dumped) after 2.1 s; the last of
    /// its standard error: ...", or that it still runs.
    std::string report() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Waits until any of \p processes has ended; returns its index, the first one's if several have. Nothing if
/// \p deadline passes first. Throws InterruptedError with the reason of \p interrupt (may be null).
std::optional<std::size_t> await_any_end(const std::vector<const Supervised*>& processes,
                                         const Deadline& deadline, const Interrupt* interrupt = nullptr);

}  // namespace vt::process
