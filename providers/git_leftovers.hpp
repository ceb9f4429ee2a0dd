// SPDX-License-Identifier: GPL-2.0-or-later
/// \file git_leftovers.hpp
/// What a killed worker leaves in a checkout's .git: lock files, which would stop everybody else's git, and
/// half a pack.
///
/// A mark lies in .git while a worker works there. A mark that is found by the next run says that the worker
/// was killed; what is younger than it and has the name of a lock or of a temporary pack is removed.
#pragma once

#include <filesystem>

namespace vt::providers {

/// True if a worker was killed in \p checkout.
bool was_interrupted(const std::filesystem::path& checkout);

/// Removes what a killed worker left in \p checkout, if one was, then marks it as being worked on.
class GitLeftovers {
  public:
    /// Throws SystemError.
    explicit GitLeftovers(std::filesystem::path checkout);
    GitLeftovers(const GitLeftovers&) = delete;
    GitLeftovers& operator=(const GitLeftovers&) = delete;
    /// Without done() the worker did not end by itself: what it left is removed.
    ~GitLeftovers();

    /// The worker ended by itself.
    void done();

  private:
    std::filesystem::path checkout_;
    bool done_ = false;
};

}  // namespace vt::providers
