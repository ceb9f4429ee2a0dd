// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where a user's runtime things lie: journal, locks, job directories.
///
/// Everything is below one private directory per user: `$XDG_RUNTIME_DIR/avocado-vt`, else
/// `/tmp/avocado-vt-UID` after a check that it is ours and 0700. Paths are short, as socket paths end at 107
/// bytes. Locks that every user of the host must see lie in `/tmp` under names that begin with `avocado-vt-`,
/// and carry no secret. Not in `/var/lock`, which some distributions let only root write; two users must
/// not look in two places.
#pragma once

#include <filesystem>
#include <string>

namespace vt {

/// The directories of one user.
struct RuntimeDirs {
    std::filesystem::path base;

    /// The calling user's, made if missing. Throws Error if the directory is somebody else's or open to
    /// others. \param override_base used instead of the default if not empty (environment
    /// AVOCADO_VT_RUNTIME_DIR, tests)
    static RuntimeDirs make(const std::filesystem::path& override_base = {});

    std::filesystem::path journal() const { return base / "journal"; }
    std::filesystem::path locks() const { return base / "locks"; }
    /// What tests are selected by, where that may hold passwords; see resolver::write_selection_file().
    std::filesystem::path selections() const { return base / "selections"; }
    std::filesystem::path cache() const { return base / "cache"; }
    /// The directory of what all users of the host share: `/tmp`, or what the environment variable
    /// AVOCADO_VT_HOST_DIR names. Throws Error if somebody untrusted could remove others' files there.
    static std::filesystem::path host();
    /// The calling user's own directory for locks, the same for all his sessions, made private. Throws Error.
    static std::filesystem::path user_locks();
    /// Where the directory of job \p job_id is (its first 12 characters are used).
    std::filesystem::path job_path(const std::string& job_id) const;
    /// That directory, made private.
    std::filesystem::path job(const std::string& job_id) const;
};

/// The user's persistent cache, `$XDG_CACHE_HOME/avocado-vt` or `~/.cache/avocado-vt`, else
/// RuntimeDirs::cache(); made private. For the compiled configs and the accelerator probe.
std::filesystem::path user_cache_dir(const RuntimeDirs& dirs);

}  // namespace vt
