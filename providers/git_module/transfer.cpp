// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_module/transfer.hpp"

#include "runner/support/strings.hpp"

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fmt/core.h>

namespace vt::providers::module {

namespace fs = std::filesystem;

namespace {

/// What the callbacks share.
struct Transfer {
    const GitHooks* hooks = nullptr;
    std::vector<fs::path> keys;  ///< private keys of SSH still to be tried, the next one last
    bool agent_tried = false;
    bool user_tried = false;
    bool credentials_wanted = false;  ///< and there were none left
};

std::vector<fs::path> ssh_keys() {
    const char* home = std::getenv("HOME");
    std::vector<fs::path> found;
    if (home != nullptr) {
        for (const char* name : {"id_rsa", "id_ecdsa", "id_ed25519"}) {
            std::error_code error;
            if (fs::path key = fs::path(home) / ".ssh" / name; fs::is_regular_file(key, error)) {
                found.push_back(key);
            }
        }
    }
    return found;
}

/// Answers a server that asks who we are: with the agent's keys, then with the usual files. Nobody is asked.
int give_credentials(git_credential** out, const char* /*url*/, const char* user_in_url, unsigned allowed,
                     void* payload) {
    auto& transfer = *static_cast<Transfer*>(payload);
    const char* user = user_in_url != nullptr ? user_in_url : std::getenv("USER");
    if (user == nullptr) {
        user = "git";
    }
    if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) {
        return git_credential_username_new(out, user);
    }
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0) {
        if (!transfer.agent_tried && std::getenv("SSH_AUTH_SOCK") != nullptr) {
            transfer.agent_tried = true;
            return git_credential_ssh_key_from_agent(out, user);
        }
        if (!transfer.keys.empty()) {
            std::string key = transfer.keys.back().string();
            transfer.keys.pop_back();
            return git_credential_ssh_key_new(out, user, (key + ".pub").c_str(), key.c_str(), "");
        }
    }
    // A token in the user's place, as forges take them; user and password of the URI are libgit2's own
    // matter.
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0 && user_in_url != nullptr &&
        !transfer.user_tried) {
        transfer.user_tried = true;
        return git_credential_userpass_plaintext_new(out, user_in_url, "");
    }
    transfer.credentials_wanted = true;
    return GIT_EUSER;
}

int on_progress(const git_indexer_progress* stats, void* payload) {
    const auto& transfer = *static_cast<Transfer*>(payload);
    // All objects are here before the deltas among them are resolved.
    bool received = stats->received_objects == stats->total_objects && stats->total_deltas > 0;
    transfer.hooks->progress(received ? GitProgress{"resolving deltas", stats->indexed_deltas,
                                                    stats->total_deltas, stats->received_bytes}
                                      : GitProgress{"receiving objects", stats->received_objects,
                                                    stats->total_objects, stats->received_bytes});
    return 0;
}

int on_server_words(const char* text, int length, void* payload) {
    const auto& transfer = *static_cast<Transfer*>(payload);
    std::string_view words = trim(std::string_view(text, static_cast<std::size_t>(length)));
    words = words.substr(words.find_last_of("\r\n") + 1);
    transfer.hooks->progress(
        {fmt::format("the server says '{}'", to_valid_utf8(words.substr(0, 80))), 0, 0, 0});
    return 0;
}

git_remote_callbacks callbacks_for(Transfer& transfer) {
    git_remote_callbacks callbacks{};
    git_remote_init_callbacks(&callbacks, GIT_REMOTE_CALLBACKS_VERSION);
    callbacks.credentials = give_credentials;
    callbacks.transfer_progress = on_progress;
    callbacks.sideband_progress = on_server_words;
    callbacks.payload = &transfer;
    return callbacks;
}

/// The server's branches, and the one its HEAD stands for.
struct Advertised {
    std::vector<std::string> branches;
    std::string default_branch;
};

Advertised advertised(git_remote* remote) {
    constexpr std::string_view heads = "refs/heads/";
    Advertised result;
    const git_remote_head** list = nullptr;
    std::size_t count = 0;
    check(git_remote_ls(&list, &count, remote), "cannot list the repository's branches");
    for (std::size_t i = 0; i < count; ++i) {
        std::string_view name = list[i]->name;
        if (name.starts_with(heads)) {
            result.branches.emplace_back(name.substr(heads.size()));
        }
    }
    git_buf name = {};
    if (git_remote_default_branch(&name, remote) == 0) {
        std::string_view text(name.ptr, name.size);
        if (text.starts_with(heads)) {
            result.default_branch = text.substr(heads.size());
        }
    }
    git_buf_dispose(&name);
    return result;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string choose_branch(const GitJob& job, const Advertised& server) {
    std::string wanted = job.branch.empty() ? "master" : job.branch;
    if (has(server.branches, wanted)) {
        return wanted;
    }
    if (job.branch.empty() && has(server.branches, server.default_branch)) {
        return server.default_branch;
    }
    if (server.branches.empty()) {
        throw GitError("the repository has no branches");
    }
    std::vector<std::string> near = nearest(wanted, server.branches);
    std::vector<std::string> some(server.branches.begin(),
                                  server.branches.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(
                                                                5, server.branches.size())));
    throw GitError(
        fmt::format("the repository has no branch '{}'{}", wanted,
                    near.empty() ? "; it has " + join(some, ", ") : "; near it are " + join(near, ", ")));
}

void fetch(git_remote* remote, std::vector<std::string> specs, bool all_tags, Transfer& transfer) {
    std::vector<char*> pointers;
    pointers.reserve(specs.size());
    for (std::string& spec : specs) {
        pointers.push_back(spec.data());
    }
    git_strarray array = {pointers.data(), pointers.size()};
    git_fetch_options options{};
    git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
    options.callbacks = callbacks_for(transfer);
    options.proxy_opts.type = GIT_PROXY_AUTO;
    options.prune = GIT_FETCH_NO_PRUNE;
    options.download_tags = all_tags ? GIT_REMOTE_DOWNLOAD_TAGS_NONE : GIT_REMOTE_DOWNLOAD_TAGS_AUTO;
    check(git_remote_fetch(remote, &array, &options, "fetched by vt-bootstrap"), "the transfer failed");
}

}  // namespace

std::string transfer(git_repository* repository, const GitJob& job, const GitHooks& hooks) {
    Transfer state;
    state.hooks = &hooks;
    state.keys = ssh_keys();
    hooks.progress({"connecting", 0, 0, 0});
    auto remote =
        make<Remote>("the URI is not understood", git_remote_create_anonymous, repository, job.uri.c_str());
    git_remote_callbacks callbacks = callbacks_for(state);
    git_proxy_options proxy{};
    git_proxy_options_init(&proxy, GIT_PROXY_OPTIONS_VERSION);
    proxy.type = GIT_PROXY_AUTO;
    int code = git_remote_connect(remote.get(), GIT_DIRECTION_FETCH, &callbacks, &proxy, nullptr);
    if (state.credentials_wanted) {
        throw GitError(
            "the server wants to know who asks, and nothing here satisfies it: neither the URI, nor a key of "
            "the SSH agent, nor one in ~/.ssh without a passphrase");
    }
    check(code, "cannot reach the repository");
    Advertised server = advertised(remote.get());
    if (!job.ref.empty()) {
        // The commit may be on any branch, the tag on none.
        fetch(remote.get(), {"+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"}, true, state);
        return job.branch;
    }
    std::string branch = choose_branch(job, server);
    fetch(remote.get(), {fmt::format("+refs/heads/{0}:refs/remotes/origin/{0}", branch)}, false, state);
    return branch;
}

}  // namespace vt::providers::module
