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
/// A guardian without an owner is for what shall outlive jobs: it ends when nobody is connected and nothing
/// is left to guard, and leaves its directory as it is.
#pragma once

#include "runner/process/process.hpp"
#include "runner/support/journal.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt::process {

/// A process that the guardian started, leased by the calling task.
class GuardedProcess {
  public:
    GuardedProcess(GuardedProcess&&) noexcept;
    GuardedProcess& operator=(GuardedProcess&&) noexcept;
    /// Kills it, unless kept.
    ~GuardedProcess();

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
    /// The process stays for the job's later tasks; this object lets go of it.
    void keep();

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

    /// Starts \p command under the name \p name (unique in the job). Standard input is /dev/null, standard
    /// output and error go to \p output (a file or pipe, duplicated). Throws NotFoundError, SystemError,
    /// Error.
    GuardedProcess start(const std::string& name, const Command& command, int output);
    /// Leases the kept process \p name; nothing if there is none (any more).
    std::optional<GuardedProcess> adopt(const std::string& name);

    /// Keeps the locked file \p lock (flock(2)) open until this task has left and its processes have ended,
    /// so that whoever waits for the lock finds what it protects free, however this task dies. The task's own
    /// release frees it at once. Throws Error.
    void hold(int lock);

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
