// SPDX-License-Identifier: GPL-2.0-or-later
/// \file git_job.hpp
/// What is asked of git for one provider, what git did, and what is remembered of it in the checkout.
///
/// A fetch runs in a process of its own (`avocado-runner-vt provider-worker`): a server that says nothing any
/// more can be given up by killing it, libgit2 has no time-outs of its own before 1.7, and a repository that
/// breaks the library breaks that process alone. The job goes to it as JSON on its standard input, never as
/// an argument, since a URI may hold a password; events come back as JSON lines.
#pragma once

#include "runner/support/error.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::providers {

/// Git could not do what was asked; what() is a sentence without secrets.
class GitError : public Error {
  public:
    using Error::Error;
};

/// What came is not what the definition demands (a signature is missing or wrong, a link leads out of the
/// repository); nothing of it was checked out.
class GitRefusedError : public GitError {
  public:
    using GitError::GitError;
};

/// One provider's repository and what is wanted of it.
struct GitJob {
    std::string name;                 ///< the provider's, for messages
    std::string uri;                  ///< as git takes it
    std::string branch;               ///< empty: `master`, or what the repository itself prefers
    std::string ref;                  ///< tag or commit id; empty: the branch's last commit
    std::filesystem::path pubkey;     ///< file with the key that must have signed; empty: none
    std::string key_digest;           ///< digest of that file's content
    std::filesystem::path directory;  ///< the checkout, or where a new one is made (then empty or missing)
    std::filesystem::path scratch;    ///< a private directory for temporary files
    bool existing = false;            ///< `directory` is a checkout
    bool fetch = true;                ///< ask the server even if everything wanted is there
    bool offline = false;             ///< never ask the server

    bool operator==(const GitJob&) const = default;
};

/// What became of the checkout.
struct GitResult {
    enum class State {
        made,     ///< it is new
        updated,  ///< it was brought to another commit
        current,  ///< it already had what was wanted
        kept,     ///< it has changes of the user's, so it was left alone
    };
    State state = State::current;
    std::string commit;         ///< id of the commit that is checked out
    std::string description;    ///< "branch master", "tag v1", "commit 0123456789ab"
    std::string why_kept;       ///< for State::kept: a part of a sentence
    std::string signer;         ///< the key whose signature was verified; empty without `pubkey`
    std::string fetch_problem;  ///< why the server could not be asked, though the rest succeeded

    bool operator==(const GitResult&) const = default;
};

/// How far a fetch is; totals are 0 while unknown.
struct GitProgress {
    std::string
        phase;  ///< "connecting", "receiving objects", "checking out files", or the server's own words
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::uint64_t bytes = 0;
};

/// A signature and what it signs.
struct SignedObject {
    std::string what;       ///< "tag v1", "commit 0123456789ab"
    std::string signature;  ///< armored
    std::string payload;
};

/// What a checkout's file `.git/avocado-runner-vt.json` remembers: what it was made for, and what we checked
/// out, so that anything else in it is known to be the user's.
struct GitNote {
    std::string uri;          ///< without secrets
    std::string branch;       ///< as GitJob's
    std::string ref;          ///< as GitJob's
    std::string key_digest;   ///< of the key whose signature was verified; empty: none was
    std::string signer;       ///< as GitResult's
    std::string commit;       ///< what we checked out last
    std::string head;         ///< the branch we left HEAD on (refs/heads/…), empty: none
    std::string description;  ///< as GitResult's
    std::string moving_to;    ///< a checkout of this commit began, and did not end if this is not empty

    bool operator==(const GitNote&) const = default;
};

/// The note of the checkout \p directory; nothing if it has none or a damaged one.
std::optional<GitNote> read_note(const std::filesystem::path& directory);
/// Throws SystemError.
void write_note(const std::filesystem::path& directory, const GitNote& note);

/// What the work calls while it goes on.
struct GitHooks {
    std::function<void(const GitProgress&)> progress;
    /// Returns the signer's name; throws GitRefusedError if the signature is not the key's.
    std::function<std::string(const SignedObject&)> verify;
    /// Remembers the note in the checkout, before anything goes on.
    std::function<void(const GitNote&)> save_note;
};

std::string to_json(const GitJob& job);
std::string to_json(const GitResult& result);
std::string to_json(const GitProgress& progress);
/// A failure as the worker reports it.
std::string error_to_json(std::string_view what, bool refused);

/// Throws GitError.
GitJob job_from_json(std::string_view text);

/// One line from the worker: exactly one of them.
struct WorkerLine {
    std::optional<GitProgress> progress;
    std::optional<GitResult> result;
    std::optional<std::string> error;
    bool refused = false;  ///< with error: it is a GitRefusedError
};
/// Throws GitError for anything else.
WorkerLine worker_line_from_json(std::string_view line);

}  // namespace vt::providers
