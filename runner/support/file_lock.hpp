// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Locks between processes: a file per lock, held with flock(2), so that the kernel frees it whatever the
/// holder's end.
///
/// The file's text names the holder, for the message of whoever waits. The kernel offers no descriptor to
/// await a lock with; what it offers is inotify's word that a holder closed the file, and that is awaited.
/// The ugly part: the word comes a moment before the lock is free, and never for a holder on another
/// machine's mount, so a try follows at the latest after a second.
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

    /// Takes the lock \p path (made if missing, mode 0600) or returns nothing if somebody else has it.
    /// \param holder who takes it, for others' messages: "test 1-uptime (pid 123)". Throws SystemError.
    static std::optional<FileLock> try_take(const std::filesystem::path& path, Mode mode,
                                            const std::string& holder);

    /// Waits for the lock until \p deadline, logging whom it waits for. Throws TimeoutError naming the
    /// holder.
    static FileLock take(const std::filesystem::path& path, Mode mode, const std::string& holder,
                         const Deadline& deadline);

    /// What the present holder wrote, "an unknown process" if it wrote nothing.
    static std::string holder_of(const std::filesystem::path& path);

  private:
    explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}

    UniqueFd fd_;
};

}  // namespace vt
