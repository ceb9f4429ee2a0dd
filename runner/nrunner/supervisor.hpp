// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The two processes of a task: a supervisor that owes Avocado a `finished`, and the body that runs the test.
///
/// Avocado waits for ever for a task that ends without saying so. So the part that runs test code is forked
/// off and may crash, exit or hang; this part has one thread, one poll loop, and runs no test code. It turns
/// the body's words and output into messages, and the body's end into a result. When it is told to end
/// (SIGTERM, SIGINT, the time limit, Avocado's own death), the body ends: at once, or after its on_stop()
/// handler, if it has one, and the grace for that. The machines go with the body's lease of them, which the
/// guardian sees. What the body left is killed, and `finished` is said, inside Avocado's grace of one second.
/// For what there was no time to do within it (a descendant that does not go, a server that does not read)
/// the sweeper stays, as it does when this process itself is killed. The job's guardian is nobody's to kill.
///
/// The supervisor's jobs beside its loop have files of their own: signals (runner_signals.hpp), pausing
/// (pause_switch.hpp), batches and bounds of what the test says (log_feed.hpp), the sweeper and the last word
/// of a killed supervisor (sweeper_watch.hpp), receivers (outbox.hpp).
///
/// SIGTSTP (a terminal's Ctrl+Z, which Avocado itself ignores) pauses: the body says how a person gets into
/// its machines and is stopped with what it runs; a second one, or SIGCONT, lets it go on. What the pause
/// took is booked for all deadlines before the body runs again.
///
/// What is ugly: fork without exec. It saves loading everything twice, and is sound only while this process
/// has no second thread; so nothing that starts threads may be called before run_task().
#pragma once

#include "runner/nrunner/body_channel.hpp"
#include "runner/nrunner/result.hpp"
#include "runner/nrunner/runnable.hpp"
#include "runner/support/journal.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace vt::nrunner {

/// What the body is given. Lives as long as the body.
class BodyContext {
  public:
    BodyContext(const Task& task, BodyChannel& channel, std::filesystem::path output_dir, ProcessId owner)
        : task_(task), channel_(channel), output_dir_(std::move(output_dir)), owner_(owner) {}

    const Task& task() const { return task_; }
    BodyChannel& channel() { return channel_; }
    /// Where results go; exists.
    const std::filesystem::path& output_dir() const { return output_dir_; }
    /// The process whose end is the job's: Avocado, or the supervisor where there is no job around this task.
    const ProcessId& job_owner() const { return owner_; }
    /// What to do when the supervisor wants an end: called once, on a thread of its own, with the reason; the
    /// test goes on beside it. After it has returned, or after SupervisorOptions::stop_grace, the body is
    /// killed; without a handler at once. An empty one takes the former away.
    void on_stop(std::function<void(const std::string& reason)> handler);
    /// What to do before a pause, and after it; called on the same thread, the test goes on beside the first.
    /// \p before returns what a person needs to know to look around, a line each. It has little more than a
    /// second. Empty ones take the former away.
    void on_pause(std::function<std::string()> before, std::function<void()> after);

  private:
    friend class Listener;
    const Task& task_;
    BodyChannel& channel_;
    std::filesystem::path output_dir_;
    ProcessId owner_;
    std::shared_ptr<struct Handlers> handlers_;
};

/// Runs a test and says how it ended; called in the body's process, whose standard output and error become
/// messages and whose log goes to the task's. An exception that leaves it is an error.
using TestBody = std::function<TestResult(BodyContext&)>;

/// How run_task() behaves.
struct SupervisorOptions {
    bool task_messages = true;  ///< messages carry id, job_id; else they are a bare runnable's
    bool watch_parent = false;  ///< the end of the parent process ends the task
    Seconds stop_grace{0.6};    ///< for the body's on_stop() handler
    Seconds exit_grace{5};      ///< for the body's process to go after its result
    Seconds pause_grace{1.5};   ///< for the body to say how one gets in, before it is stopped
};

/// Runs \p task and reports it. The calling process must have one thread. Returns the exit status of the
/// command: 0, whatever the test's result, as Avocado's own runners do.
int run_task(Task task, const TestBody& body, const SupervisorOptions& options = {});

}  // namespace vt::nrunner
