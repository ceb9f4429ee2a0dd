// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The resource journal: what must not survive its owner.
///
/// Each process of ours that makes external things has one journal file, `JOURNAL_DIR/PID-STARTTIME.jsonl`,
/// in which it writes a line *before* the thing exists and a second one after it is gone. Whoever finds a
/// journal whose owner is dead takes down, last first, what is still open in it: the next command does, and
/// `avocado-runner-vt reap`. Appends are one write(2) each, so a line is whole or torn; a torn one is
/// ignored.
///
/// Whether an owner is dead: the first line names the boot and the pid namespace it lived in. After a reboot
/// numbers mean nothing, so all of another boot are dead. In another container they are others' numbers:
/// there the lock decides that the owner holds on its journal. Within the namespace pid and start time do
/// (the lock does not, as a child that the owner only forked holds it, too).
#pragma once

#include "runner/support/deadline.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt {

/// A process by its number and start time (clock ticks since boot, field 22 of /proc/PID/stat), unique until
/// reboot.
struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0;

    /// The identity of the live process \p pid; start_time is 0 if there is none.
    static ProcessId of(pid_t pid);
    /// True while that very process runs (a zombie does not).
    bool alive() const;
    /// The number of its parent; 0 if it has ended.
    pid_t parent() const;
    auto operator<=>(const ProcessId&) const = default;
};

/// One external thing, as the journal knows it.
struct Resource {
    /// A setting is a file of the kernel's (/sys, /proc/sys) that gets its former value back; a command
    /// undoes what no file or system call does (a service that was stopped, a logical volume).
    enum class Kind { process, file, directory, tap, bridge, mount, setting, command };
    Kind kind = Kind::file;
    std::string
        name;  ///< path, interface name; for a process what it is, for a command its words, one a line
    ProcessId process;  ///< for Kind::process
    bool kept = false;  ///< meant to outlive its owner: reap spares it without `--all`
    /// Who needs it besides the owner of the journal: while that process lives, the thing stays. A pid of 0:
    /// nobody.
    ProcessId holder = {};
    std::string value = {};  ///< for Kind::setting: what is written back

    /// "directory /run/user/0/avocado-vt/job-1", "process vm-abc (pid 12)".
    std::string text() const;
};

/// What reaping did with one thing.
struct Reaped {
    enum class Fate {
        taken_down,
        was_gone,  ///< there was nothing left of it
        kept,      ///< meant to stay
        in_use,    ///< its holder lives
        foreign,   ///< of a process of another container, about which nothing can be told from here
        resisted,  ///< see problem
    };
    Resource resource;
    ProcessId owner;
    Fate fate = Fate::taken_down;
    std::string problem;
};

class Journal;

/// The RAII half: the journal's entry of one thing. Released (written as gone) on destruction; the owner
/// destroys the thing itself first. In a process that the owner forked it does nothing.
class JournalEntry {
  public:
    JournalEntry() = default;
    JournalEntry(JournalEntry&& other) noexcept;
    JournalEntry& operator=(JournalEntry&& other) noexcept;
    ~JournalEntry();

    /// Marks the thing as meant to outlive its owner. Its line stays in the journal.
    void keep();
    /// Leaves the line open: somebody else (the guardian's journal) answers for the thing from now on or reap
    /// does.
    void abandon();

  private:
    friend class Journal;
    JournalEntry(std::shared_ptr<Journal> journal, std::uint64_t id);

    std::shared_ptr<Journal> journal_;
    std::uint64_t id_ = 0;
};

/// This process's journal file.
class Journal : public std::enable_shared_from_this<Journal> {
  public:
    /// The calling process's journal in \p dir: the same object while anybody holds it, since there is one
    /// file. The file is made, with the directory (private), at the first entry.
    static std::shared_ptr<Journal> open(const std::filesystem::path& dir);
    ~Journal();

    /// Writes the line of \p resource, which must not exist yet. Throws SystemError.
    JournalEntry add(const Resource& resource);

    /// Takes down what journals in \p dir whose owners are dead still list, oldest journal first, last thing
    /// first in each, logging each; kept and foreign things only with \p all. If somebody else is at it,
    /// waits until \p patience, then leaves it to them. Returns what became of each thing. Never throws for
    /// one that resists; it stays listed.
    static std::vector<Reaped> reap(const std::filesystem::path& dir, bool all = false,
                                    const Deadline& patience = Deadline::after(Seconds(0)));

  private:
    friend class JournalEntry;
    struct Impl;
    explicit Journal(std::unique_ptr<Impl> impl);

    std::unique_ptr<Impl> impl_;
};

}  // namespace vt
