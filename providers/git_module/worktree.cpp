// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_module/worktree.hpp"

#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include <fmt/core.h>

namespace vt::providers::module {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t paths_named = 3;

/// What running tests leaves behind is nobody's work.
bool is_byproduct(const std::string& path) {
    return path.ends_with(".pyc") || path.find("__pycache__/") != std::string::npos;
}

std::string some_of(const std::vector<std::string>& paths) {
    std::vector<std::string> first(
        paths.begin(), paths.begin() + static_cast<std::ptrdiff_t>(std::min(paths_named, paths.size())));
    std::string text = to_valid_utf8(join(first, ", "));
    return paths.size() > paths_named ? fmt::format("{} and {} more", text, paths.size() - paths_named)
                                      : text;
}

std::vector<std::string> changed_paths(git_repository* repository) {
    git_status_options options{};
    git_status_options_init(&options, GIT_STATUS_OPTIONS_VERSION);
    options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
    options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_RECURSE_UNTRACKED_DIRS |
                    GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
    auto list = make<StatusList>("cannot compare the files with the commit", git_status_list_new, repository,
                                 &options);
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < git_status_list_entrycount(list.get()); ++i) {
        const git_status_entry* entry = git_status_byindex(list.get(), i);
        const git_diff_delta* delta =
            entry->head_to_index != nullptr ? entry->head_to_index : entry->index_to_workdir;
        std::string path = delta->new_file.path != nullptr ? delta->new_file.path : delta->old_file.path;
        if (!is_byproduct(path)) {
            paths.push_back(std::move(path));
        }
    }
    return paths;
}

/// The commits of all references that came from the server.
std::vector<git_oid> servers_commits(git_repository* repository) {
    std::vector<git_oid> commits;
    for (const char* glob : {"refs/remotes/origin/*", "refs/tags/*"}) {
        auto iterator = make<ReferenceIterator>("cannot list the references", git_reference_iterator_glob_new,
                                                repository, glob);
        git_reference* raw = nullptr;
        while (git_reference_next(&raw, iterator.get()) == 0) {
            Reference reference(raw);
            if (auto object = find<Object>("cannot read a reference", git_reference_peel, reference.get(),
                                           GIT_OBJECT_COMMIT)) {
                commits.push_back(*git_object_id(object.get()));
            }
        }
    }
    return commits;
}

/// True if the server (as last asked) or the note knows \p commit, so that nobody's work is only there.
bool is_known(git_repository* repository, const git_oid& commit, const Target& target,
              const std::optional<GitNote>& note) {
    if (note && note->commit == text_of(commit)) {
        return true;
    }
    std::vector<git_oid> commits = servers_commits(repository);
    commits.push_back(target.commit);
    int reachable = git_graph_reachable_from_any(repository, &commit, commits.data(), commits.size());
    check(reachable, "cannot compare the commits");
    return reachable == 1;
}

/// A file's content in the tree of \p commit; nothing if the tree has no such file.
std::optional<git_oid> blob_in(git_repository* repository, const git_oid& commit_id,
                               const std::string& path) {
    auto commit = make<Commit>("cannot read a commit", git_commit_lookup, repository, &commit_id);
    auto tree = make<Tree>("cannot read a commit's files", git_commit_tree, commit.get());
    git_tree_entry* raw = nullptr;
    if (git_tree_entry_bypath(&raw, tree.get(), path.c_str()) != 0) {
        return std::nullopt;
    }
    Owned<git_tree_entry, git_tree_entry_free> entry(raw);
    return *git_tree_entry_id(entry.get());
}

std::string blob_text(git_repository* repository, const git_oid& id) {
    auto blob = find<Blob>("cannot read a file", git_blob_lookup, repository, &id);
    return !blob ? std::string()
                 : std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                               static_cast<std::size_t>(git_blob_rawsize(blob.get())));
}

/// True if the file at \p path is what a move between two commits may have left: one of the two contents,
/// none, or the beginning of the new one.
bool is_from_move(git_repository* repository, const std::optional<git_oid>& old_commit,
                  const git_oid& new_commit, const std::string& path) {
    fs::path file = fs::path(git_repository_workdir(repository)) / path;
    std::optional<git_oid> old_blob =
        old_commit ? blob_in(repository, *old_commit, path) : std::optional<git_oid>();
    std::optional<git_oid> new_blob = blob_in(repository, new_commit, path);
    std::error_code error;
    auto status = fs::symlink_status(file, error);
    if (!fs::exists(status)) {
        return true;  // both commits' deletions, and what was not written yet
    }
    if (!old_blob && !new_blob) {
        return false;
    }
    std::string content = fs::is_symlink(status) ? fs::read_symlink(file, error).string() : read_file(file);
    if (old_blob && content == blob_text(repository, *old_blob)) {
        return true;
    }
    return new_blob && blob_text(repository, *new_blob).starts_with(content);
}

bool has_remote(git_repository* repository) {
    return find<Remote>("cannot look up the remote", git_remote_lookup, repository, "origin") != nullptr;
}

void on_checkout_progress(const char* /*path*/, std::size_t done, std::size_t total, void* payload) {
    static_cast<const GitHooks*>(payload)->progress({"checking out files", done, total, 0});
}

}  // namespace

std::optional<git_oid> head_commit(git_repository* repository) {
    auto head = find<Reference>("cannot read HEAD", git_repository_head, repository);
    if (!head) {
        return std::nullopt;
    }
    auto object = make<Object>("HEAD is no commit", git_reference_peel, head.get(), GIT_OBJECT_COMMIT);
    return *git_object_id(object.get());
}

std::string head_name(git_repository* repository) {
    auto head = make<Reference>("cannot read HEAD", git_reference_lookup, repository, "HEAD");
    const char* target = git_reference_symbolic_target(head.get());
    return target != nullptr ? target : "";
}

std::string users_work(git_repository* repository, const Target& target, const std::optional<GitNote>& note) {
    if (git_repository_state(repository) != GIT_REPOSITORY_STATE_NONE) {
        return "a merge, rebase or the like is going on in it";
    }
    if (auto paths = changed_paths(repository); !paths.empty()) {
        return fmt::format("it has changes: {}", some_of(paths));
    }
    std::string head = head_name(repository);
    std::optional<git_oid> commit = head_commit(repository);
    if (note && head != note->head) {
        return head.empty() ? "commit " + short_text_of(*commit) + " was checked out in it"
                            : "it was put on " + replace_all(head, "refs/heads/", "branch ");
    }
    if (commit && !is_known(repository, *commit, target, note)) {
        return fmt::format("it has commits of its own, the last being {}", short_text_of(*commit));
    }
    if (!target.head.empty() && target.head != head) {
        auto branch = find<Reference>("cannot look up the branch", git_reference_lookup, repository,
                                      target.head.c_str());
        const git_oid* tip = branch ? git_reference_target(branch.get()) : nullptr;
        if (tip != nullptr && !is_known(repository, *tip, target, note)) {
            return fmt::format("its {} has commits of its own", target.description);
        }
    }
    return {};
}

std::string edited_since(git_repository* repository, const git_oid& id) {
    auto tree_of = [&](const git_oid& commit_id) {
        auto commit = make<Commit>("cannot read a commit", git_commit_lookup, repository, &commit_id);
        return make<Tree>("cannot read a commit's files", git_commit_tree, commit.get());
    };
    git_diff_options options{};
    git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
    options.flags = GIT_DIFF_IGNORE_SUBMODULES;
    Tree new_tree = tree_of(id);
    std::optional<git_oid> old_commit = head_commit(repository);
    std::vector<Diff> diffs;
    diffs.push_back(make<Diff>("cannot compare the files with the commit", git_diff_tree_to_workdir,
                               repository, new_tree.get(), &options));
    if (old_commit) {
        // What the new commit has no more is removed, but only as it was.
        Tree old_tree = tree_of(*old_commit);
        diffs.push_back(make<Diff>("cannot compare the commits", git_diff_tree_to_tree, repository,
                                   old_tree.get(), new_tree.get(), &options));
    }
    std::set<std::string> paths;
    for (const Diff& diff : diffs) {
        for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
            paths.insert(git_diff_get_delta(diff.get(), i)->old_file.path);
        }
    }
    std::vector<std::string> edited;
    for (const std::string& path : paths) {
        if (!is_from_move(repository, old_commit, id, path)) {
            edited.push_back(path);
        }
    }
    return edited.empty() ? "" : fmt::format("it has changes: {}", some_of(edited));
}

void move_to(git_repository* repository, const Target& target, bool force, const GitHooks& hooks) {
    git_checkout_options options{};
    git_checkout_options_init(&options, GIT_CHECKOUT_OPTIONS_VERSION);
    options.checkout_strategy =
        force ? GIT_CHECKOUT_FORCE : GIT_CHECKOUT_SAFE | GIT_CHECKOUT_DONT_OVERWRITE_IGNORED;
    options.progress_cb = on_checkout_progress;
    options.progress_payload = const_cast<GitHooks*>(&hooks);
    auto object = make<Object>("cannot read the commit", git_object_lookup, repository, &target.commit,
                               GIT_OBJECT_COMMIT);
    check(git_checkout_tree(repository, object.get(), &options), "cannot check out the files");
    if (target.head.empty()) {
        check(git_repository_set_head_detached(repository, &target.commit), "cannot set HEAD");
        return;
    }
    auto branch = make<Reference>("cannot set the branch", git_reference_create, repository,
                                  target.head.c_str(), &target.commit, 1, "vt-bootstrap");
    check(git_repository_set_head(repository, target.head.c_str()), "cannot set HEAD");
    // So that a developer's 'git pull' and 'git status' know where the branch comes from.
    if (auto tracked = replace_all(target.head, "refs/heads/", "origin/"); has_remote(repository)) {
        check(git_branch_set_upstream(branch.get(), tracked.c_str()),
              "cannot note where the branch comes from");
    }
}

}  // namespace vt::providers::module
