// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_job.hpp"

#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt::providers {

namespace fs = std::filesystem;
using nlohmann::json;

// Names of their own for the members' names: they are read again by later versions.
// NOLINTBEGIN(misc-const-correctness)
NLOHMANN_JSON_SERIALIZE_ENUM(GitResult::State, {{GitResult::State::current, "current"},
                                                {GitResult::State::made, "made"},
                                                {GitResult::State::updated, "updated"},
                                                {GitResult::State::kept, "kept"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitResult, state, commit, description, why_kept, signer, fetch_problem)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitProgress, phase, done, total, bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(GitNote, uri, branch, ref, key_digest, signer, commit, head, description,
                                   moving_to)
// NOLINTEND(misc-const-correctness)

namespace {

constexpr std::size_t max_note_bytes = std::size_t{64} << 10;

fs::path note_file(const fs::path& directory) {
    return directory / ".git" / "avocado-runner-vt.json";
}

/// As text, whatever bytes a server put into it.
std::string dump(const json& object) {
    return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::optional<GitNote> read_note(const fs::path& directory) {
    std::error_code error;
    if (!fs::is_regular_file(note_file(directory), error)) {
        return std::nullopt;
    }
    try {
        return json::parse(read_file(note_file(directory), max_note_bytes)).get<GitNote>();
    } catch (const std::exception& problem) {
        log::warning("Passing over the notes in {}: {}", note_file(directory).string(), problem.what());
        return std::nullopt;
    }
}

void write_note(const fs::path& directory, const GitNote& note) {
    write_file_atomically(note_file(directory), json(note).dump(1) + "\n");
}

std::string to_json(const GitJob& job) {
    return dump({{"name", job.name},
                 {"uri", job.uri},
                 {"branch", job.branch},
                 {"ref", job.ref},
                 {"pubkey", job.pubkey.string()},
                 {"key_digest", job.key_digest},
                 {"directory", job.directory.string()},
                 {"scratch", job.scratch.string()},
                 {"existing", job.existing},
                 {"fetch", job.fetch},
                 {"offline", job.offline}});
}

std::string to_json(const GitResult& result) {
    return dump({{"result", result}});
}

std::string to_json(const GitProgress& progress) {
    return dump({{"progress", progress}});
}

std::string error_to_json(std::string_view what, bool refused) {
    return dump({{"error", what}, {"refused", refused}});
}

GitJob job_from_json(std::string_view text) {
    try {
        json object = json::parse(text);
        GitJob job;
        object.at("name").get_to(job.name);
        object.at("uri").get_to(job.uri);
        object.at("branch").get_to(job.branch);
        object.at("ref").get_to(job.ref);
        job.pubkey = object.at("pubkey").get<std::string>();
        object.at("key_digest").get_to(job.key_digest);
        job.directory = object.at("directory").get<std::string>();
        job.scratch = object.at("scratch").get<std::string>();
        object.at("existing").get_to(job.existing);
        object.at("fetch").get_to(job.fetch);
        object.at("offline").get_to(job.offline);
        return job;
    } catch (const json::exception& problem) {
        throw GitError(
            fmt::format("a provider's job is no JSON object with the expected keys: {}", problem.what()));
    }
}

WorkerLine worker_line_from_json(std::string_view line) {
    try {
        json object = json::parse(line);
        WorkerLine result;
        if (object.contains("progress")) {
            result.progress = object.at("progress").get<GitProgress>();
        } else if (object.contains("result")) {
            result.result = object.at("result").get<GitResult>();
        } else {
            result.error = object.at("error").get<std::string>();
            result.refused = object.at("refused").get<bool>();
        }
        return result;
    } catch (const json::exception& problem) {
        throw GitError(fmt::format("unexpected words from the provider's worker: '{}'", line.substr(0, 200)));
    }
}

}  // namespace vt::providers
