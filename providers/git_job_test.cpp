// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_job.hpp"

#include "providers/git_leftovers.hpp"
#include "providers/worker_client.hpp"
#include "runner/support/file.hpp"

#include <chrono>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

using namespace vt::providers;
namespace fs = std::filesystem;

TEST_CASE("jobs, results, progress and errors survive their way as JSON") {
    GitJob job;
    job.name = "n";
    job.uri = "https://me:\"x\"@example.org/t";
    job.branch = "b";
    job.ref = "r";
    job.pubkey = "/k";
    job.key_digest = "d";
    job.directory = "/d";
    job.scratch = "/s";
    job.existing = true;
    job.fetch = false;
    job.offline = true;
    CHECK(job_from_json(to_json(job)) == job);
    CHECK_THROWS_AS(job_from_json("{}"), GitError);
    CHECK_THROWS_AS(job_from_json("no JSON"), GitError);

    const GitResult result{GitResult::State::kept, "c", "branch b", "it has changes", "s", "p"};
    CHECK(worker_line_from_json(to_json(result)).result == result);
    const auto progress = worker_line_from_json(to_json(GitProgress{"bytes \xff", 1, 2, 3})).progress;
    REQUIRE(progress.has_value());
    CHECK(progress->bytes == 3);
    CHECK(*worker_line_from_json(error_to_json("why", true)).error == "why");
    CHECK(worker_line_from_json(error_to_json("why", true)).refused);
    for (const char* line : {"{}", "[]", "1", "{\"result\": 1}", "{\"error\": \"x\"}", "{"}) {
        CHECK_THROWS_AS(worker_line_from_json(line), GitError);
    }
}

TEST_CASE("a damaged note is none") {
    vt::TempDirectory dir("note");
    fs::create_directory(dir.path() / ".git");
    CHECK_FALSE(read_note(dir.path()).has_value());
    GitNote note;
    note.commit = "c";
    note.moving_to = "m";
    write_note(dir.path(), note);
    CHECK(read_note(dir.path()) == note);
    vt::write_file_atomically(dir.path() / ".git/avocado-runner-vt.json", "{\"commit\": 1}");
    CHECK_FALSE(read_note(dir.path()).has_value());
}

TEST_CASE("what a killed worker left is told by its age and name") {
    vt::TempDirectory dir("leftovers");
    const fs::path git = dir.path() / ".git";
    fs::create_directories(git / "refs/heads");
    fs::create_directories(git / "objects/pack");
    vt::write_file_atomically(git / "old.lock", "somebody's");
    fs::last_write_time(git / "old.lock", fs::file_time_type::clock::now() - std::chrono::hours(1));
    CHECK_FALSE(was_interrupted(dir.path()));
    {
        GitLeftovers leftovers(dir.path());
        CHECK(was_interrupted(dir.path()));
        for (const char* name :
             {"index.lock", "refs/heads/x.lock", "objects/pack/pack_1", "objects/pack/pack-1.pack"}) {
            vt::write_file_atomically(git / name, "");
        }
    }
    CHECK_FALSE(was_interrupted(dir.path()));
    CHECK(fs::exists(git / "old.lock"));
    CHECK(fs::exists(git / "objects/pack/pack-1.pack"));
    CHECK_FALSE(fs::exists(git / "index.lock"));
    CHECK_FALSE(fs::exists(git / "refs/heads/x.lock"));
    CHECK_FALSE(fs::exists(git / "objects/pack/pack_1"));
    {
        GitLeftovers leftovers(dir.path());
        vt::write_file_atomically(git / "index.lock", "");
        leftovers.done();
    }
    CHECK(fs::exists(git / "index.lock"));
}

TEST_CASE("progress for people") {
    CHECK(progress_text({"connecting", 0, 0, 0}) == "connecting");
    CHECK(progress_text({"receiving objects", 900, 2000, 12 << 20}) ==
          "receiving objects: 45 % (900 of 2000), 12.0 MiB");
}
