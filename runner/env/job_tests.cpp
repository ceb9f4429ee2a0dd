// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/env/job_tests.hpp"

#include "cfg/errors.hpp"
#include "resolver/name_filter.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::size_t longest_command_line = std::size_t{4} << 20;

/// The children of \p parent that run a task, by what their command lines say of it.
std::vector<JobTest> tasks_of(const ProcessId& parent) {
    std::vector<JobTest> tasks;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const auto name = entry.path().filename().string();
        pid_t pid = 0;
        const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (bad != std::errc() || end != name.data() + name.size()) {
            continue;
        }
        const auto id = ProcessId::of(pid);
        if (id.parent() != parent.pid) {
            continue;
        }
        std::vector<std::string> words;
        try {
            words = split(read_file(entry.path() / "cmdline", longest_command_line), '\0');
        } catch (const Error&) {  // it has ended
            continue;
        }
        if (words.size() < 2 || words[1] != "task-run") {
            continue;
        }
        JobTest task;
        task.process = id;
        for (std::size_t i = 2; i + 1 < words.size(); ++i) {
            if (words[i] == "-i") {
                task.id = words[i + 1];
            } else if (words[i] == "-u") {
                task.name = words[i + 1];
            } else if (words[i].starts_with("full_name=")) {
                task.full_name = words[i].substr(10);
            }
        }
        tasks.push_back(std::move(task));
    }
    return tasks;
}

}  // namespace

JobTests::JobTests(const fs::path& job_dir, JobTest self, const ProcessId& owner)
    : dir_(job_dir / "tests"), roll_(dir_, "test-"), self_(std::move(self)), owner_(owner) {
    make_private_directory(dir_);
    entry_ = roll_.enter(json{{"name", self_.name},
                              {"full_name", self_.full_name},
                              {"id", self_.id},
                              {"pid", self_.process.pid},
                              {"start", self_.process.start_time}}
                             .dump(-1, ' ', false, json::error_handler_t::replace) +
                         "\n");
}

void JobTests::ended(std::string status) {
    if (entry_) {
        std::transform(status.begin(), status.end(), status.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        entry_->leave(json{{"status", status}}.dump() + "\n");
        entry_.reset();
    }
}

bool JobTests::names(const std::string& dep, const JobTest& test) {
    if (dep == test.name || dep == test.full_name) {
        return true;
    }
    try {
        // The labels before the dependency's own are those of the dependent test's name, so this is narrow.
        return resolver::NameFilter(dep).matches(resolver::labels_of(test.full_name));
    } catch (const cfg::ParserError&) {
        return false;
    }
}

bool JobTests::before(const JobTest& other) const {
    return std::pair(other.process.start_time, other.process.pid) <
           std::pair(self_.process.start_time, self_.process.pid);
}

std::optional<JobTests::Other> JobTests::read(const RollMember& member) {
    const auto lines = split(member.text, '\n');
    const auto first = json::parse(lines.front(), nullptr, false);
    const auto second = lines.size() > 1 ? json::parse(lines[1], nullptr, false) : json();
    try {
        return Other{{first.at("name").get<std::string>(),
                      first.at("full_name").get<std::string>(),
                      first.at("id").get<std::string>(),
                      {first.at("pid").get<pid_t>(), first.at("start").get<std::uint64_t>()}},
                     member,
                     second.is_object() ? second.at("status").get<std::string>() : ""};
    } catch (const json::exception&) {
        log::debug("{} is no test's place and counts for nothing", member.path.native());
        return std::nullopt;
    }
}

std::vector<JobTests::Other> JobTests::others() const {
    std::vector<Other> others;
    for (const auto& member : roll_.members()) {
        auto other = read(member);
        if (other && before(other->test)) {
            others.push_back(std::move(*other));
        }
    }
    return others;
}

std::vector<JobTests::Other> JobTests::starting(const std::vector<Other>& known) const {
    std::vector<Other> others;
    for (auto& task : tasks_of(owner_)) {
        const bool listed = std::any_of(known.begin(), known.end(), [&](const Other& other) {
            return other.test.process == task.process;
        });
        if (!listed && before(task)) {
            // Its place will appear in the directory, which can be watched meanwhile.
            const auto number = std::uint64_t{1} << 40 | static_cast<std::uint64_t>(task.process.pid);
            others.push_back({std::move(task), {number, dir_, {}, 0, true}, {}});
        }
    }
    return others;
}

void JobTests::wait_for(const std::vector<std::string>& deps) const {
    if (deps.empty()) {
        return;
    }
    std::vector<Other> all;
    const auto wanted = [&](const Other& other) {
        return std::any_of(deps.begin(), deps.end(),
                           [&](const std::string& dep) { return names(dep, other.test); });
    };
    const auto blockers = [&] {
        all = others();
        auto more = starting(all);
        std::move(more.begin(), more.end(), std::back_inserter(all));
        std::vector<RollMember> who;
        for (const auto& other : all) {
            if (other.member.present && wanted(other)) {
                who.push_back(other.member);
            }
        }
        return who;
    };
    const auto tell = [&](const std::vector<RollMember>& who) {
        std::vector<std::string> names;
        for (const auto& other : all) {
            if (std::any_of(who.begin(), who.end(),
                            [&](const RollMember& member) { return member.number == other.member.number; })) {
                names.push_back(fmt::format("{} (pid {})", other.test.id, other.test.process.pid));
            }
        }
        log::info("waiting for the end of {}, on which this test depends (dep)", join(names, ", "));
    };
    Roll::wait(blockers, tell);
    for (const auto& dep : deps) {
        bool started = false;
        for (const auto& other : all) {
            if (!names(dep, other.test)) {
                continue;
            }
            started = true;
            if (other.status != "PASS" && other.status != "WARN") {
                log::warning(
                    "The test {}, on which this one depends (dep), ended {}; this one runs all the same",
                    other.test.id, other.status.empty() ? "without a result" : "with " + other.status);
            }
        }
        if (!started) {
            log::warning(
                "This job has not started {}, on which this test depends (dep); the test runs all the same",
                dep);
        }
    }
}

}  // namespace vt
