// SPDX-License-Identifier: GPL-2.0-or-later
/// \file target.hpp
/// The commit that a definition asks for, and whether it may be used.
#pragma once

#include "providers/git_module/handles.hpp"

#include <optional>
#include <string>

namespace vt::providers::module {

/// What is to be checked out.
struct Target {
    git_oid commit{};
    std::optional<git_oid> tag;  ///< the tag object, if an annotated tag was named
    std::string tag_name;        ///< empty: no tag was named
    std::string head;            ///< refs/heads/BRANCH, or empty for a detached HEAD
    std::string description;     ///< as GitResult's
};

/// What `ref`, else \p branch, stands for in \p repository; nothing if it is not there. Throws GitError if
/// `ref` is neither the name of a tag nor a commit's id, or if it is ambiguous.
std::optional<Target> find_target(git_repository* repository, const GitJob& job, const std::string& branch);

/// Throws GitRefusedError if \p target's files must not be checked out: a link leads out of the repository,
/// or there are more of them than any suite has.
void check_tree(git_repository* repository, const Target& target);

/// Has the tag's signature, or that of the commit if no annotated tag was named, verified; returns the
/// signer. Throws GitRefusedError.
std::string check_signature(git_repository* repository, const Target& target, const GitHooks& hooks);

}  // namespace vt::providers::module
