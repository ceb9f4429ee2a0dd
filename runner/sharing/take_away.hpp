// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What an administrator does about a user who holds all others up.
///
/// A claim or a lock that all users of a host wait for may be held by a process that is no test, by mistake
/// or on purpose, and nobody can tell from outside. So nothing is overridden by itself, not even for root:
/// whoever waits is told of the user and the process, and root takes the user's claims away by name. All who
/// wait see that the file is gone, and go on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace vt {

/// The user of that name or number. Throws Error if there is none.
uid_t user_named(const std::string& user);

/// Removes from \p host_dir the claims of \p uid and the locks of images that his processes hold. Returns a
/// line for each. Throws Error unless the caller is root or \p uid, SystemError if a file cannot be removed.
std::vector<std::string> take_away_claims(const std::filesystem::path& host_dir, uid_t uid);

}  // namespace vt
