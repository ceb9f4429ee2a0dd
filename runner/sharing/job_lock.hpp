// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The job lock: a file per job in a directory, by which Avocado-VT's jobs keep out of each other's way.
///
/// The format is Avocado-VT's: `avocado-vt-joblock-JOBID-UID-RANDOM.pid` (40 hexadecimal digits, a number, 8
/// of 0-9a-z) holds the PID of the job's Avocado as decimal digits. A job of Avocado-VT's runs alone in its
/// directory, so neither side starts while the other has a job there. Our own jobs run side by side: what
/// they share is locked where it is used. Ours are told by the last part of the name, which is not random: it
/// is the start time of the process in base 36, and this tells a PID that was given out again, too.
///
/// The directory is /tmp, as a rule, where any user may put any file: what holds no PID blocks nobody.
#pragma once

#include "runner/support/error.hpp"
#include "runner/support/journal.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt {

/// Somebody else has the lock; what() names job, process and user.
class JobLockedError : public Error {
  public:
    using Error::Error;
};

/// What taking the lock gave.
struct JobLock {
    std::filesystem::path file;         ///< remove it after the job
    std::vector<std::string> warnings;  ///< files that were passed over, and why
};

/// Takes the lock in \p dir for the job \p job_id of process \p owner. Files of jobs that have ended are
/// removed. Throws JobLockedError; Error, SystemError if \p dir cannot be used.
JobLock take_job_lock(const std::filesystem::path& dir, const std::string& job_id, const ProcessId& owner);

/// Removes the lock \p file, which may be gone already. Throws Error if it is no lock's name, SystemError.
void release_job_lock(const std::filesystem::path& file);

}  // namespace vt
