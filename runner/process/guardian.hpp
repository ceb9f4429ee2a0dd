// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The guardian: the parent of everything that may outlive one test, one process per job.
///
/// A VM that a test leaves alive belongs to the job, so its QEMU cannot be the test's child. The guardian
/// (this binary under the hidden command `guardian`, single-threaded, so that PDEATHSIG follows a thread that
/// lives) starts such processes on request and watches two ends: the connection of the task that leases a
/// process, and a pidfd of the job's owner (Avocado). A task that disconnects, however it died, loses its
/// processes unless it said keep(); the job's end takes down the rest, removes the job's runtime directory
/// and ends the guardian; the guardian's own death kills all of them (PDEATHSIG).
///
/// A request has a number, which its answer repeats: an answer that comes after its asker has given up is
/// nobody else's. A process that was started too late for its asker is ended again. The guardian never waits
/// for one process, so that one that cannot die holds up nobody.
///
/// A guardian without an owner is for what shall outlive jobs: it ends when nobody is connected and nothing
/// is left to guard, and leaves its directory as it is.
#pragma once

#include "runner/process/process.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/unique_fd.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt::process {

/// A descriptor that goes to the guardian with a process.
struct PassedFd {
    std::string name;  ///< for GuardedProcess::take_fd() after an adoption: "tap-net0"
    int fd = -1;       ///< the caller's, duplicated
    int at = -1;       ///< its number in the process; -1: the process does not get it
    bool held =
        false;  ///< the guardian holds it as long as the process lives and gives it to whoever adopts it
};

/// What the guardian is asked to start.
struct GuardedStart {
    std::string name;  ///< unique in the job
    Command command;   ///< its standard input is /dev/null
    int output = -1;   ///< where standard output and error go: a file or pipe, duplicated
    std::vector<PassedFd> fds;
    /// The name under which another process is going to be started, or runs, that this one serves (swtpm,
    /// virtiofsd, a storage daemon, dnsmasq): one lease holds both.
    std::string companion_of;
};

/// A process that the guardian started, leased by the calling task. Thread-safe.
class GuardedProcess {
  public:
    GuardedProcess(GuardedProcess&&) noexcept;
    GuardedProcess& operator=(GuardedProcess&&) noexcept;
    /// Kills it, with its companions, unless kept.
    ~GuardedProcess();

    const std::string& name() const;
    pid_t pid() const;
    ProcessId id() const;
    /// Readable when the process has ended (a real pidfd).
    int pidfd() const;
    bool running() const;
    /// How it ended, once it has (asked from the guardian).
    std::optional<ExitStatus> status();
    /// Waits for the end. Throws TimeoutError.
    ExitStatus wait(const Deadline& deadline);
    void signal(int signal);
    /// The process and its companions stay for the job's later tasks; this object and theirs let go of them.
    void keep();

    /// After Guardian::adopt(): the descriptor that was held under \p name; nothing if there is none or it
    /// was taken.
    std::optional<UniqueFd> take_fd(const std::string& name);
    /// After Guardian::adopt(): the companions, which are leased with it.
    std::vector<GuardedProcess> take_companions();
    /// Companions that have ended though the process may still need them, a sentence for each: "swtpm
    /// (process 12), a companion of vm-1, was killed by SIGSEGV". Asked from the guardian.
    std::vector<std::string> dead_companions();

  private:
    friend class Guardian;
    struct Impl;
    explicit GuardedProcess(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// The calling task's connection to its job's guardian.
class Guardian : public std::enable_shared_from_this<Guardian> {
  public:
    /// Connects to the guardian of the job directory \p job_dir, starting it if there is none.
    /// \param owner the job's process (Avocado), whose end is the job's end; a pid of 0: what is guarded
    /// outlives the job
    /// \param runner path of the avocado-runner-vt binary
    /// \param journal the journal's directory; `journal` beside \p job_dir if empty
    static std::shared_ptr<Guardian> connect(const std::filesystem::path& job_dir, const ProcessId& owner,
                                             const std::filesystem::path& runner,
                                             const std::filesystem::path& journal = {});
    ~Guardian();

    /// Starts a process, which gets standard streams and its PassedFd::at and nothing else. Throws
    /// NotFoundError, SystemError, Error; then nothing runs.
    GuardedProcess start(const GuardedStart& what);
    /// As above, without further descriptors.
    GuardedProcess start(const std::string& name, const Command& command, int output);
    /// Leases the kept process \p name, which is no companion, with its companions; nothing if there is none
    /// (any more).
    std::optional<GuardedProcess> adopt(const std::string& name);

    /// Keeps the locked file \p lock (flock(2)) open until this task has left and its processes have ended,
    /// so that whoever waits for the lock finds what it protects free, however this task dies. The task's own
    /// release frees it at once. Throws Error.
    void hold(int lock);

    /// How long answers are awaited (20 s, a machine under load in mind); for tests.
    void set_patience(Seconds patience);

    /// The guardian that serves \p job_dir, if one runs. Its supervisor spares it when it sweeps its
    /// descendants.
    static std::optional<ProcessId> running(const std::filesystem::path& job_dir);

  private:
    friend class GuardedProcess;
    struct Impl;
    explicit Guardian(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// The guardian's own main function (hidden command `guardian`): serves \p listener (a listening Unix socket)
/// until the owner has ended; without an owner (pid 0), until nothing is left to guard. Returns the exit
/// status. \param journal as in Guardian::connect()
int serve_guardian(int listener, const std::filesystem::path& job_dir, const ProcessId& owner,
                   const std::filesystem::path& journal = {});

}  // namespace vt::process
