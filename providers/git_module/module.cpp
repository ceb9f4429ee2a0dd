// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_module/module.hpp"

#include "providers/git_module/handles.hpp"
#include "providers/git_module/target.hpp"
#include "providers/git_module/transfer.hpp"
#include "providers/git_module/worktree.hpp"
#include "providers/git_uri.hpp"
#include "runner/support/strings.hpp"

#include <fmt/core.h>

namespace vt::providers::module {

namespace {

struct Library {
    Library() {
        git_libgit2_init();
        git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;
    ~Library() { git_libgit2_shutdown(); }
};

GitError no_target(const GitJob& job, const std::string& branch) {
    return GitError(job.ref.empty()
                        ? fmt::format("the repository has no branch '{}'", branch)
                        : fmt::format("the repository has neither a tag nor a commit '{}' on one of "
                                      "its branches",
                                      to_valid_utf8(job.ref)));
}

GitNote note_for(const GitJob& job, const Target& target, const std::string& signer) {
    GitNote note;
    note.uri = uri_for_messages(job.uri);
    note.branch = job.branch;
    note.ref = job.ref;
    note.key_digest = signer.empty() ? "" : job.key_digest;
    note.signer = signer;
    note.commit = text_of(target.commit);
    note.head = target.head;
    note.description = target.description;
    return note;
}

GitResult result_for(GitResult::State state, const Target& target, const std::string& signer) {
    GitResult result;
    result.state = state;
    result.commit = text_of(target.commit);
    result.description = target.description;
    result.signer = signer;
    return result;
}

/// All that must hold before a file of \p target is written. Returns the signer.
std::string check_target(git_repository* repository, const GitJob& job, const Target& target,
                         const GitHooks& hooks) {
    std::string signer = job.pubkey.empty() ? "" : check_signature(repository, target, hooks);
    check_tree(repository, target);
    return signer;
}

GitResult make_new(const GitJob& job, const GitHooks& hooks) {
    auto repository =
        make<Repository>("cannot make a repository", git_repository_init, job.directory.string().c_str(), 0U);
    make<Remote>("cannot note where the repository comes from", git_remote_create, repository.get(), "origin",
                 uri_for_messages(job.uri).c_str());
    std::string branch = transfer(repository.get(), job, hooks);
    std::optional<Target> target = find_target(repository.get(), job, branch);
    if (!target) {
        throw no_target(job, branch);
    }
    std::string signer = check_target(repository.get(), job, *target, hooks);
    move_to(repository.get(), *target, true, hooks);
    hooks.save_note(note_for(job, *target, signer));
    return result_for(GitResult::State::made, *target, signer);
}

/// An existing checkout and what happens to it.
class Refresh {
  public:
    Refresh(const GitJob& job, std::optional<GitNote> note, const GitHooks& hooks)
        : job_(job),
          note_(std::move(note)),
          hooks_(hooks),
          repository_(make<Repository>("this is no sound git checkout", git_repository_open_ext,
                                       job.directory.string().c_str(), GIT_REPOSITORY_OPEN_NO_SEARCH,
                                       nullptr)) {}

    GitResult run() {
        if (note_ && !note_->moving_to.empty()) {
            if (std::string why = finish_move(); !why.empty()) {
                return kept(why);
            }
        }
        std::optional<Target> target = find();
        if (!target) {
            return without_target();
        }
        std::string signer = check_target(repository_.get(), job_, *target, hooks_);
        GitResult result = go_to(*target, signer);
        result.fetch_problem = fetch_problem_;
        return result;
    }

  private:
    /// The branch that stands for "none given", as far as this checkout knows.
    std::string local_branch() const {
        if (!job_.branch.empty()) {
            return job_.branch;
        }
        bool noted = note_ && note_->branch.empty() && note_->ref.empty() && !note_->head.empty();
        return noted ? replace_all(note_->head, "refs/heads/", "") : "master";
    }

    std::optional<Target> find() {
        std::string branch = local_branch();
        if (!job_.fetch || job_.offline) {
            auto target = find_target(repository_.get(), job_, branch);
            if (target || job_.offline) {
                return target;
            }
        }
        try {
            branch = transfer(repository_.get(), job_, hooks_);
        } catch (const GitError& error) {
            fetch_problem_ = error.what();
        }
        return find_target(repository_.get(), job_, branch);
    }

    /// What is wanted is not known here.
    GitResult without_target() {
        if (fetch_problem_.empty() && !job_.offline) {
            throw no_target(job_, local_branch());
        }
        bool verified = job_.pubkey.empty() || (note_ && note_->key_digest == job_.key_digest);
        if (!verified) {
            throw GitRefusedError(
                "what is checked out was not verified with the key of the definition, and what "
                "the definition asks for is not here");
        }
        GitResult result;
        if (auto commit = head_commit(repository_.get())) {
            result.commit = text_of(*commit);
            result.description = "commit " + short_text_of(*commit);
        } else {
            throw GitError("nothing is checked out yet");
        }
        result.fetch_problem = fetch_problem_.empty() ? "nothing may be downloaded" : fetch_problem_;
        return result;
    }

    GitResult go_to(const Target& target, const std::string& signer) {
        std::optional<git_oid> head = head_commit(repository_.get());
        GitNote note = note_for(job_, target, signer);
        if (head && git_oid_equal(&*head, &target.commit) != 0) {
            note.head = head_name(repository_.get());
            hooks_.save_note(note);
            return result_for(GitResult::State::current, target, signer);
        }
        if (std::string why = users_work(repository_.get(), target, note_); !why.empty()) {
            return kept(why);
        }
        GitNote moving = note;
        moving.commit = head ? text_of(*head) : "";
        moving.moving_to = note.commit;
        hooks_.save_note(moving);
        try {
            move_to(repository_.get(), target, false, hooks_);
        } catch (const GitError&) {
            // A file in the way stops it before anything was done.
            if (users_work(repository_.get(), target, std::nullopt).empty()) {
                moving.moving_to.clear();
                moving.head = head_name(repository_.get());
                hooks_.save_note(note_ ? *note_ : moving);
            }
            throw;
        }
        hooks_.save_note(note);
        return result_for(GitResult::State::updated, target, signer);
    }

    /// Ends a move that was cut short; returns why that cannot be.
    std::string finish_move() {
        Target target;
        check(git_oid_fromstr(&target.commit, note_->moving_to.c_str()), "the checkout's note is damaged");
        target.head = note_->head;
        target.description = note_->description;
        if (std::string why = edited_since(repository_.get(), target.commit); !why.empty()) {
            return why + ", and an update of it was cut short before";
        }
        move_to(repository_.get(), target, true, hooks_);
        note_->commit = note_->moving_to;
        note_->moving_to.clear();
        hooks_.save_note(*note_);
        return {};
    }

    GitResult kept(const std::string& why) {
        GitResult result;
        result.state = GitResult::State::kept;
        result.why_kept = why;
        if (auto commit = head_commit(repository_.get())) {
            result.commit = text_of(*commit);
            result.description = "commit " + short_text_of(*commit);
        }
        result.fetch_problem = fetch_problem_;
        return result;
    }

    const GitJob& job_;
    std::optional<GitNote> note_;
    const GitHooks& hooks_;
    Repository repository_;
    std::string fetch_problem_;
};

GitResult run(const GitJob& job, const std::optional<GitNote>& note, const GitHooks& hooks) {
    Library library;
    return job.existing ? Refresh(job, note, hooks).run() : make_new(job, hooks);
}

}  // namespace
}  // namespace vt::providers::module

extern "C" {

extern const vt::providers::module::GitModule vt_git_module;

const vt::providers::module::GitModule vt_git_module{vt::providers::module::run};
}
