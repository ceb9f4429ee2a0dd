// SPDX-License-Identifier: GPL-2.0-or-later
/// \file worktree.hpp
/// The files of a checkout: whose they are, and how they come to another commit.
///
/// What the user did in a checkout is never undone: changed and new files, commits, another branch. Only a
/// checkout that is as bootstrap (or upstream's bootstrap) left it is moved. A move that was killed in its
/// middle leaves files of both commits; the note says so beforehand, and the next run tells such files from
/// edited ones by their content.
#pragma once

#include "providers/git_module/target.hpp"

#include <optional>
#include <string>

namespace vt::providers::module {

/// The commit that HEAD stands for; nothing in a repository without one.
std::optional<git_oid> head_commit(git_repository* repository);

/// The branch that HEAD is on (refs/heads/…); empty if it is detached.
std::string head_name(git_repository* repository);

/// Why \p repository must be left alone instead of going to \p target: a part of a sentence; empty if it
/// need not.
std::string users_work(git_repository* repository, const Target& target, const std::optional<GitNote>& note);

/// Why a move to \p id that was cut short cannot be finished: files that are neither the old nor the new
/// commit's. Empty if it can.
std::string edited_since(git_repository* repository, const git_oid& id);

/// Brings files, index, branch and HEAD to \p target. \param force whatever lies there: for a directory that
/// is new, or after edited_since(). Throws GitError.
void move_to(git_repository* repository, const Target& target, bool force, const GitHooks& hooks);

}  // namespace vt::providers::module
