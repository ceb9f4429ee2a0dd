// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Who holds a lock, in words for those who wait.
///
/// What a lock file says of its holder may be written by any user of the host, so it is shown as one harmless
/// line, with the name of its user if that is another one.
#pragma once

#include "runner/support/journal.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace vt {

/// \p text, which a process of user \p uid wrote, as a log may show it: at most 200 bytes, no control
/// characters, "… of user NAME" unless it is the caller's own.
std::string holder_text(std::string_view text, uid_t uid);

/// The processes that have locked the file \p path by flock(2), as far as /proc/locks tells of them.
std::vector<ProcessId> lock_holders(const std::filesystem::path& path);

/// "process 123 (avocado-runner-vt) of user bob".
std::string process_text(pid_t pid);

/// The user of process \p pid; the caller if it has ended.
uid_t user_of(pid_t pid);

/// The name of user \p uid, or the number if it has none.
std::string user_name(uid_t uid);

}  // namespace vt
