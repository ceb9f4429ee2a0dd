// SPDX-License-Identifier: GPL-2.0-or-later
/// \file transfer.hpp
/// Gets objects and references from the server into a repository.
///
/// Heads come to refs/remotes/origin/, tags to refs/tags/, as git's own clone has them; no branch of the
/// user's is touched. Submodules are not followed. Without `ref` only the one branch is fetched, with the
/// tags that point into it.
#pragma once

#include "providers/git_module/handles.hpp"

#include <string>

namespace vt::providers::module {

/// The branch to use for \p job: its own, or `master`, or what the server's HEAD says if there is no master.
/// Fetches what that branch, or `ref`, needs. Throws GitError; what() may contain the URI's secrets.
std::string transfer(git_repository* repository, const GitJob& job, const GitHooks& hooks);

}  // namespace vt::providers::module
