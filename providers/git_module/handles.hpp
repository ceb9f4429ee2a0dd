// SPDX-License-Identifier: GPL-2.0-or-later
/// \file handles.hpp
/// libgit2's objects, owned; and its return values as exceptions.
#pragma once

#include "providers/git_job.hpp"

#include <memory>
#include <string>
#include <string_view>

#include <git2.h>

namespace vt::providers::module {

/// Frees with the function \p free.
template <auto free>
struct Freed {
    template <typename Handle>
    void operator()(Handle* handle) const noexcept {
        free(handle);
    }
};

template <typename Handle, auto free>
using Owned = std::unique_ptr<Handle, Freed<free>>;

using Repository = Owned<git_repository, git_repository_free>;
using Remote = Owned<git_remote, git_remote_free>;
using Reference = Owned<git_reference, git_reference_free>;
using Object = Owned<git_object, git_object_free>;
using Commit = Owned<git_commit, git_commit_free>;
using Tree = Owned<git_tree, git_tree_free>;
using Blob = Owned<git_blob, git_blob_free>;
using Odb = Owned<git_odb, git_odb_free>;
using OdbObject = Owned<git_odb_object, git_odb_object_free>;
using StatusList = Owned<git_status_list, git_status_list_free>;
using Diff = Owned<git_diff, git_diff_free>;
using ReferenceIterator = Owned<git_reference_iterator, git_reference_iterator_free>;

/// What libgit2 said last, as the end of a sentence.
std::string last_words();

/// Throws GitError if \p code is an error: \p what failed, and why.
void check(int code, std::string_view what);

/// Calls `function(&handle, arguments…)` and owns what it made. Throws GitError.
template <typename Handle, typename Function, typename... Arguments>
Handle make(std::string_view what, Function function, Arguments&&... arguments) {
    typename Handle::pointer raw = nullptr;
    check(function(&raw, std::forward<Arguments>(arguments)...), what);
    return Handle(raw);
}

/// As make(), but nothing if there is no such thing.
template <typename Handle, typename Function, typename... Arguments>
Handle find(std::string_view what, Function function, Arguments&&... arguments) {
    typename Handle::pointer raw = nullptr;
    int code = function(&raw, std::forward<Arguments>(arguments)...);
    if (code != GIT_ENOTFOUND && code != GIT_EUNBORNBRANCH && code != GIT_EINVALIDSPEC) {
        check(code, what);
    }
    return Handle(code == 0 ? raw : nullptr);
}

/// The full id in hexadecimal.
std::string text_of(const git_oid& id);
/// As much of it as people read.
std::string short_text_of(const git_oid& id);

}  // namespace vt::providers::module
