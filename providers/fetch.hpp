// SPDX-License-Identifier: GPL-2.0-or-later
/// \file fetch.hpp
/// Sees to it that a provider's files are there: clones and updates git repositories into the data directory.
///
/// A new checkout is made in a hidden directory beside its place and renamed, so it is there whole or not at
/// all. An existing one is asked of the server only if the definition changed or if that was demanded; a
/// server that cannot be reached is then a warning. Whoever calls holds the data directory's bootstrap lock.
///
/// What is ugly: a checkout's own remains of a killed run (lock files of git) can only be told by their age.
#pragma once

#include "providers/git_job.hpp"
#include "providers/provider.hpp"
#include "runner/support/deadline.hpp"

#include <filesystem>
#include <string>

namespace vt::providers {

/// How repositories are treated.
struct FetchOptions {
    bool update = false;        ///< ask the servers of all checkouts
    bool no_downloads = false;  ///< ask no server at all
    Seconds patience{60};       ///< a server that says nothing for so long is given up
};

/// What came of it.
struct FetchReport {
    bool usable = false;  ///< there are files, and they may be used
    std::string problem;  ///< a sentence if something that was asked for could not be done; else empty
};

/// Makes or updates the checkout of \p provider, which is a git one, and logs what it does. \param wanted
/// clone it if it is not there. Throws nothing for a provider's own trouble, SystemError if the data
/// directory cannot be written to.
FetchReport provide_checkout(const Provider& provider, bool wanted, const FetchOptions& options);

/// Removes what killed runs left in \p downloads.
void clean_downloads(const std::filesystem::path& downloads);

}  // namespace vt::providers
