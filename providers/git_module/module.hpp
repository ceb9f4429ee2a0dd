// SPDX-License-Identifier: GPL-2.0-or-later
/// \file module.hpp
/// What libvtgit.so offers: one function that does a provider's job with libgit2.
///
/// libgit2 and its libraries for HTTP, TLS and SSH are linked by this module alone, which the worker's
/// process opens. It keeps no state between calls and calls nothing of the core but what is compiled into it.
///
/// libgit2 runs no hooks, no filters and no credential helpers that a repository names, and there is no
/// transport here that runs a command; so its check that the repository belongs to the caller is switched
/// off, as repositories of other users are ordinary sources here.
#pragma once

#include "providers/git_job.hpp"

#include <optional>

namespace vt::providers::module {

/// The entry under the symbol vt_git_module.
struct GitModule {
    /// Does \p job. \param note what the checkout's note says, if it has one. Throws GitError,
    /// GitRefusedError, SystemError; what() may contain the URI's secrets.
    GitResult (*run)(const GitJob& job, const std::optional<GitNote>& note, const GitHooks& hooks);
};

}  // namespace vt::providers::module
