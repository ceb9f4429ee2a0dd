// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_module/target.hpp"

#include "providers/tree_links.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>

namespace vt::providers::module {

namespace {

constexpr std::size_t min_id_digits = 7;
constexpr std::size_t max_entries = 1'000'000;
constexpr git_object_size_t max_link_bytes = 4096;  // PATH_MAX

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

/// The commit that \p object is or, as a tag, stands for.
git_oid commit_of(const git_object* object, const std::string& name) {
    auto commit =
        make<Object>(fmt::format("'{}' is no commit", name), git_object_peel, object, GIT_OBJECT_COMMIT);
    return *git_object_id(commit.get());
}

std::optional<Target> find_by_id(git_repository* repository, const std::string& digits) {
    git_oid id;
    check(git_oid_fromstrn(&id, digits.c_str(), digits.size()), "the commit id is not understood");
    Object object;
    git_object* raw = nullptr;
    int code = git_object_lookup_prefix(&raw, repository, &id, digits.size(), GIT_OBJECT_ANY);
    if (code == GIT_ENOTFOUND) {
        return std::nullopt;
    }
    if (code == GIT_EAMBIGUOUS) {
        throw GitError(fmt::format("several commits have an id that begins with {}", digits));
    }
    check(code, "cannot look up the commit");
    object.reset(raw);
    Target target;
    target.commit = commit_of(object.get(), digits);
    if (git_object_type(object.get()) == GIT_OBJECT_TAG) {
        target.tag = *git_object_id(object.get());
    }
    target.description = "commit " + short_text_of(target.commit);
    return target;
}

std::optional<Target> find_tag(git_repository* repository, const std::string& name) {
    auto reference = find<Reference>("cannot look up the tag", git_reference_lookup, repository,
                                     ("refs/tags/" + name).c_str());
    if (!reference) {
        return std::nullopt;
    }
    Target target;
    const git_oid* id = git_reference_target(reference.get());
    if (id == nullptr) {
        throw GitError(fmt::format("tag '{}' is a reference to another reference", name));
    }
    auto direct = make<Object>("cannot read the tag", git_object_lookup, repository, id, GIT_OBJECT_ANY);
    if (git_object_type(direct.get()) == GIT_OBJECT_TAG) {
        target.tag = *id;
    }
    target.commit = commit_of(direct.get(), name);
    target.tag_name = name;
    target.description = "tag " + name;
    return target;
}

std::optional<Target> find_ref(git_repository* repository, const std::string& ref) {
    // A whole id is that commit, whatever somebody named a tag.
    if (ref.size() == GIT_OID_HEXSZ && is_hex(ref)) {
        return find_by_id(repository, ref);
    }
    int valid = 0;
    git_reference_name_is_valid(&valid, ("refs/tags/" + ref).c_str());
    if (valid == 0) {
        throw GitError(fmt::format("'{}' can be neither a tag's name nor a commit's id", to_valid_utf8(ref)));
    }
    if (auto target = find_tag(repository, ref)) {
        return target;
    }
    bool may_be_id = ref.size() >= min_id_digits && ref.size() < GIT_OID_HEXSZ && is_hex(ref);
    return may_be_id ? find_by_id(repository, ref) : std::nullopt;
}

/// Collects the links while libgit2 walks a tree.
struct Collector {
    git_repository* repository;
    TreeLinks links;
    std::size_t entries = 0;
    std::string refusal;
};

int visit(const char* root, const git_tree_entry* entry, void* payload) {
    auto& collector = *static_cast<Collector*>(payload);
    if (++collector.entries > max_entries) {
        collector.refusal = fmt::format("it has more than {} files", max_entries);
        return -1;
    }
    if (git_tree_entry_filemode(entry) != GIT_FILEMODE_LINK) {
        return 0;
    }
    std::string path = std::string(root) + git_tree_entry_name(entry);
    git_blob* raw = nullptr;
    if (git_blob_lookup(&raw, collector.repository, git_tree_entry_id(entry)) != 0) {
        collector.refusal = fmt::format("the link {} cannot be read", path);
        return -1;
    }
    Blob blob(raw);
    if (git_blob_rawsize(blob.get()) > max_link_bytes) {
        collector.refusal = fmt::format("the link {} is longer than any path", path);
        return -1;
    }
    collector.links[path] = std::string(static_cast<const char*>(git_blob_rawcontent(blob.get())),
                                        static_cast<std::size_t>(git_blob_rawsize(blob.get())));
    return 0;
}

GitRefusedError refused(const Target& target, std::string_view why) {
    return GitRefusedError(fmt::format("{} is refused, nothing of it was checked out: {}", target.description,
                                       to_valid_utf8(why)));
}

/// The object's raw content.
std::string content_of(git_repository* repository, const git_oid& id) {
    auto odb = make<Odb>("cannot open the object store", git_repository_odb, repository);
    auto object = make<OdbObject>("cannot read an object", git_odb_read, odb.get(), &id);
    return {static_cast<const char*>(git_odb_object_data(object.get())), git_odb_object_size(object.get())};
}

/// Where the signature of a tag's \p text begins: git appends it, so the last line that opens one counts.
std::size_t signature_begin(const std::string& text) {
    std::size_t begin = std::string::npos;
    for (std::string_view opening : {"-----BEGIN PGP SIGNATURE-----", "-----BEGIN PGP MESSAGE-----",
                                     "-----BEGIN SIGNED MESSAGE-----", "-----BEGIN SSH SIGNATURE-----"}) {
        for (auto at = text.find(opening); at != std::string::npos; at = text.find(opening, at + 1)) {
            bool line_start = at == 0 || text[at - 1] == '\n';
            if (line_start && (begin == std::string::npos || at > begin)) {
                begin = at;
            }
        }
    }
    return begin;
}

SignedObject signed_tag(git_repository* repository, const Target& target) {
    std::string text = content_of(repository, *target.tag);
    git_tag* raw = nullptr;
    check(git_tag_lookup(&raw, repository, &*target.tag), "cannot read the tag");
    Owned<git_tag, git_tag_free> tag(raw);
    // Else an old signed tag could be served under a new tag's name.
    if (!target.tag_name.empty() && target.tag_name != git_tag_name(tag.get())) {
        throw refused(target, fmt::format("what was signed is the tag '{}'", git_tag_name(tag.get())));
    }
    auto begin = signature_begin(text);
    if (begin == std::string::npos) {
        throw refused(target, "the tag has no signature, but the definition names a public key");
    }
    return {target.description, text.substr(begin), text.substr(0, begin)};
}

SignedObject signed_commit(git_repository* repository, const Target& target) {
    git_buf signature = {};
    git_buf payload = {};
    git_oid id = target.commit;
    int code = git_commit_extract_signature(&signature, &payload, repository, &id, "gpgsig");
    SignedObject result{"commit " + short_text_of(target.commit),
                        std::string(signature.ptr != nullptr ? signature.ptr : "", signature.size),
                        std::string(payload.ptr != nullptr ? payload.ptr : "", payload.size)};
    git_buf_dispose(&signature);
    git_buf_dispose(&payload);
    if (code == GIT_ENOTFOUND) {
        throw refused(target,
                      fmt::format("commit {} has no signature, but the definition names a public key; "
                                  "name a signed tag with 'ref'",
                                  short_text_of(target.commit)));
    }
    check(code, "cannot read the commit's signature");
    return result;
}

}  // namespace

std::optional<Target> find_target(git_repository* repository, const GitJob& job, const std::string& branch) {
    if (!job.ref.empty()) {
        return find_ref(repository, job.ref);
    }
    auto reference = find<Reference>("cannot look up the branch", git_reference_lookup, repository,
                                     ("refs/remotes/origin/" + branch).c_str());
    if (!reference) {
        return std::nullopt;
    }
    auto object =
        make<Object>("cannot read the branch", git_reference_peel, reference.get(), GIT_OBJECT_COMMIT);
    Target target;
    target.commit = *git_object_id(object.get());
    target.head = "refs/heads/" + branch;
    target.description = "branch " + branch;
    return target;
}

void check_tree(git_repository* repository, const Target& target) {
    auto commit = make<Commit>("cannot read the commit", git_commit_lookup, repository, &target.commit);
    auto tree = make<Tree>("cannot read the commit's files", git_commit_tree, commit.get());
    Collector collector{repository, {}, 0, {}};
    int code = git_tree_walk(tree.get(), GIT_TREEWALK_PRE, visit, &collector);
    if (!collector.refusal.empty()) {
        throw refused(target, collector.refusal);
    }
    check(code, "cannot read the commit's files");
    for (const auto& [path, text] : collector.links) {
        if (leads_out(collector.links, path)) {
            throw refused(target, fmt::format("the link {} -> {} leads out of the repository", path, text));
        }
    }
}

std::string check_signature(git_repository* repository, const Target& target, const GitHooks& hooks) {
    SignedObject object = target.tag ? signed_tag(repository, target) : signed_commit(repository, target);
    try {
        return hooks.verify(object);
    } catch (const GitRefusedError& error) {
        throw refused(target, error.what());
    }
}

}  // namespace vt::providers::module
