// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/fetch.hpp"

#include "providers/git_leftovers.hpp"
#include "providers/git_uri.hpp"
#include "providers/worker_client.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>

#include <fmt/core.h>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view scratch_mark = ".fetch-";
constexpr std::size_t max_key_bytes = std::size_t{4} << 20;

/// The hidden directory beside a checkout in which a job works.
ScratchDirectory scratch_for(const fs::path& checkout) {
    fs::create_directories(checkout.parent_path());
    return {RuntimeDirs::make().journal(), fmt::format(".{}{}", checkout.filename().string(), scratch_mark),
            checkout.parent_path()};
}

/// One provider's checkout in one run.
class Checkout {
  public:
    Checkout(const Provider& provider, const FetchOptions& options)
        : provider_(provider), options_(options), place_(provider.root) {}

    FetchReport provide(bool wanted) {
        std::error_code error;
        if (fs::exists(place_ / ".git", error)) {
            note_ = read_note(place_);
            return guarded([&] { return refresh(); });
        }
        if (fs::exists(place_, error) && !fs::is_empty(place_, error)) {
            log::warning(
                "{} is no git checkout, though {} names a repository; its files are used as they are",
                place_.string(), provider_.definition.string());
            return {true, {}};
        }
        if (!wanted || options_.no_downloads) {
            report_absent(wanted);
            return {};
        }
        return guarded([&] { return make_new(); });
    }

  private:
    void report_absent(bool wanted) const {
        if (wanted) {
            log::warning("{} is not fetched, as nothing may be downloaded ({})", provider_.name, shown_uri());
        } else {
            log::info("{} is not fetched ({}); 'avocado vt-bootstrap --vt-update-providers' fetches it",
                      provider_.name, shown_uri());
        }
    }

    std::string shown_uri() const { return uri_for_messages(provider_.uri); }

    template <typename Work>
    FetchReport guarded(const Work& work) {
        try {
            return work();
        } catch (const GitRefusedError& error) {
            bool verified = note_ && !key_digest_.empty() && note_->key_digest == key_digest_;
            bool usable = note_ && (provider_.pubkey.empty() || verified);
            return failed(error.what(), usable,
                          usable ? "what was there before stays in use" : "it is not used");
        } catch (const Error& error) {
            bool usable = note_.has_value() || fs::exists(place_ / ".git");
            bool verified = provider_.pubkey.empty() || (note_ && note_->key_digest == key_digest_);
            return failed(error.what(), usable && verified,
                          usable && verified ? "what was there before stays in use" : "");
        }
    }

    FetchReport failed(const std::string& why, bool usable, const std::string& consequence) const {
        std::string text = fmt::format("Test provider {} ({}): {}{}{}", provider_.name, shown_uri(), why,
                                       consequence.empty() ? "" : "; ", consequence);
        log::error("{}", text);
        return {usable, text};
    }

    GitJob job() {
        GitJob job;
        job.name = provider_.name;
        job.uri = checked_git_uri(provider_.uri);
        job.branch = provider_.branch;
        job.ref = provider_.ref;
        job.pubkey = provider_.pubkey;
        if (!job.pubkey.empty()) {
            key_digest_ = content_digest(read_key());
            job.key_digest = key_digest_;
        }
        job.offline = options_.no_downloads;
        return job;
    }

    std::string read_key() const {
        try {
            return read_file(provider_.pubkey, max_key_bytes);
        } catch (const Error& error) {
            throw GitRefusedError(fmt::format("the public key that {} names cannot be read: {}",
                                              provider_.definition.string(), error.what()));
        }
    }

    FetchReport make_new() {
        GitJob job = this->job();
        const ScratchDirectory scratch = scratch_for(place_);
        job.scratch = scratch.path();
        job.directory = scratch.path() / "checkout";
        log::info("Fetching {} from {}", provider_.name, shown_uri());
        GitResult result = run_worker(job, options_.patience);
        if (::rename(job.directory.c_str(), place_.c_str()) != 0) {
            throw SystemError(fmt::format("cannot rename {} to {}", job.directory.string(), place_.string()),
                              errno);
        }
        report(result);
        return {true, {}};
    }

    FetchReport refresh() {
        bool interrupted = was_interrupted(place_);
        GitJob job = this->job();
        if (!interrupted && !options_.update && is_as_defined(job)) {
            log::info("{} OK ({}{})", provider_.name, place_.string(),
                      note_ ? ", " + note_->description : std::string());
            return {true, {}};
        }
        const ScratchDirectory scratch = scratch_for(place_);
        job.scratch = scratch.path();
        job.directory = place_;
        job.existing = true;
        job.fetch = options_.update || (note_ && note_->uri != shown_uri());
        GitLeftovers leftovers(place_);
        GitResult result = run_worker(job, options_.patience);
        leftovers.done();
        report(result);
        return {true, {}};
    }

    /// True if there is nothing to do: the checkout was made for just this definition, or has no note (it is
    /// upstream's or the user's) and nothing says that something else is wanted.
    bool is_as_defined(const GitJob& job) const {
        if (note_) {
            return note_->moving_to.empty() && note_->uri == shown_uri() && note_->branch == job.branch &&
                   note_->ref == job.ref && (job.pubkey.empty() || note_->key_digest == job.key_digest);
        }
        if (!job.ref.empty() || !job.pubkey.empty()) {
            return false;
        }
        return job.branch.empty() || branch_in(place_) == job.branch;
    }

    static std::string branch_in(const fs::path& checkout) {
        constexpr std::string_view start = "ref: refs/heads/";
        std::error_code error;
        if (!fs::is_regular_file(checkout / ".git" / "HEAD", error)) {
            return {};
        }
        std::string head = read_file(checkout / ".git" / "HEAD", 4096);
        return head.starts_with(start) ? std::string(trim(std::string_view(head).substr(start.size()))) : "";
    }

    void report(const GitResult& result) const {
        if (!result.fetch_problem.empty()) {
            log::warning("{} cannot be updated, what is there is used: {}", provider_.name,
                         result.fetch_problem);
        }
        std::string signer = result.signer.empty() ? "" : ", signed by " + result.signer;
        std::string at = fmt::format("{} ({})", result.description, result.commit.substr(0, 12));
        switch (result.state) {
            case GitResult::State::kept:
                log::warning("{} is left alone at {}: {}", place_.string(), result.description,
                             result.why_kept);
                break;
            case GitResult::State::made:
                log::info("{} fetched: {}{}", provider_.name, at, signer);
                break;
            case GitResult::State::updated:
                log::info("{} updated: {}{}", provider_.name, at, signer);
                break;
            case GitResult::State::current:
                log::info("{} is up to date: {}{}", provider_.name, at, signer);
                break;
        }
    }

    const Provider& provider_;
    const FetchOptions& options_;
    fs::path place_;
    std::optional<GitNote> note_;
    std::string key_digest_;
};

}  // namespace

FetchReport provide_checkout(const Provider& provider, bool wanted, const FetchOptions& options) {
    return Checkout(provider, options).provide(wanted);
}

void clean_downloads(const fs::path& downloads) {
    std::error_code error;
    for (fs::directory_iterator entry(downloads, error), end; !error && entry != end;
         entry.increment(error)) {
        std::string name = entry->path().filename().string();
        if (name.starts_with('.') && name.find(scratch_mark) != std::string::npos) {
            log::info("Removing what an interrupted run left: {}", entry->path().string());
            std::error_code ignored;
            fs::remove_all(entry->path(), ignored);
        }
    }
}

}  // namespace vt::providers
