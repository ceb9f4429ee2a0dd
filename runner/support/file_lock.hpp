// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Locks between processes: a file per lock, held with flock(2), so that the kernel frees it whatever the
/// holder's end.
///
/// The file's text names the holders, a line each, for the message of whoever waits. The kernel offers no
/// descriptor to await a lock with; what it offers is inotify's word that a holder closed the file, and that
/// is awaited. The ugly part: the word comes a moment before the lock is free, and never for a holder on
/// another machine's mount, so a try follows at the latest after a second.
///
/// A lock may lie in a directory that users share who do not trust one another (a sticky one): no link is
/// followed, and nothing is written into another's file.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace vt {

/// A held lock; freed on destruction.
class FileLock {
  public:
    enum class Mode { shared, exclusive };

    FileLock(FileLock&& other) noexcept { *this = std::move(other); }
    FileLock& operator=(FileLock&& other) noexcept;
    ~FileLock();

    /// Takes the lock \p path (made if missing, mode 0644) or returns nothing if somebody else has it.
    /// \param holder who takes it, for others' messages: "test 1-uptime (pid 123)". Throws SystemError.
    static std::optional<FileLock> try_take(const std::filesystem::path& path, Mode mode,
                                            const std::string& holder);

    /// Waits for the lock until \p deadline, logging whom it waits for, again every ten minutes. Throws
    /// TimeoutError naming the holder. \param what is waited for, in words; the path if empty
    static FileLock take(const std::filesystem::path& path, Mode mode, const std::string& holder,
                         const Deadline& deadline, const std::string& what = {});

    /// The file goes with the lock, unless others share it then.
    void remove_on_release() { removed_ = true; }

    /// The open file. Whoever has it open, too, when this process dies keeps the lock; on destruction it goes
    /// for all.
    int descriptor() const { return fd_.get(); }

    /// The present holders by what they wrote; those that wrote nothing by their processes, as far as
    /// /proc/locks names them; else "an unknown process".
    static std::string holder_of(const std::filesystem::path& path);

  private:
    class Attempt;
    FileLock(UniqueFd fd, std::filesystem::path path) : fd_(std::move(fd)), path_(std::move(path)) {}

    UniqueFd fd_;
    std::filesystem::path path_;
    bool removed_ = false;
};

}  // namespace vt
