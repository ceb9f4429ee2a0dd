// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/worker_client.hpp"

#include "providers/git_uri.hpp"
#include "runner/process/process.hpp"
#include "runner/support/install_dirs.hpp"
#include "runner/support/log.hpp"

#include <chrono>

#include <fmt/core.h>

namespace vt::providers {

namespace {

constexpr std::chrono::seconds log_interval{3};

/// What the worker said so far.
class Conversation {
  public:
    explicit Conversation(std::string name) : name_(std::move(name)) {}

    void take(std::string_view line) {
        heard_ = Clock::now();
        if (!line.starts_with('{')) {
            log::debug("{}: {}", name_, line);  // a library's own words
            return;
        }
        WorkerLine words = worker_line_from_json(line);
        if (words.progress) {
            take(*words.progress);
        } else {
            end_ = std::move(words);
        }
    }

    Seconds silence() const { return Clock::now() - heard_; }
    const std::optional<WorkerLine>& end() const { return end_; }
    std::string last() const { return last_.phase.empty() ? "nothing" : progress_text(last_); }

  private:
    using Clock = std::chrono::steady_clock;

    void take(const GitProgress& progress) {
        last_ = progress;
        // The first word of a short fetch is not worth a line.
        if (Clock::now() - logged_ >= log_interval) {
            logged_ = Clock::now();
            log::info("{}: {}", name_, progress_text(progress));
        }
    }

    std::string name_;
    GitProgress last_;
    std::optional<WorkerLine> end_;
    Clock::time_point heard_ = Clock::now();
    Clock::time_point logged_ = Clock::now();
};

/// Waits for the worker's end as long as it goes on speaking.
process::ExitStatus await(process::Child& worker, const Conversation& conversation, Seconds patience) {
    for (;;) {
        Seconds left = patience - conversation.silence();
        if (left <= Seconds{0}) {
            throw TimeoutError(fmt::format("the server said nothing for {:g} s; its last words: {}",
                                           patience.count(), conversation.last()));
        }
        try {
            return worker.wait(Deadline::after(left));
        } catch (const TimeoutError&) {
            continue;  // unless it spoke meanwhile, the silence is too long now
        }
    }
}

}  // namespace

std::string progress_text(const GitProgress& progress) {
    std::string text = progress.phase;
    if (progress.total > 0) {
        text += fmt::format(": {} % ({} of {})", progress.done * 100 / progress.total, progress.done,
                            progress.total);
    }
    if (progress.bytes > 0) {
        text += fmt::format(", {:.1f} MiB", static_cast<double>(progress.bytes) / (1 << 20));
    }
    return text;
}

GitResult run_worker(const GitJob& job, Seconds patience) {
    process::Command command;
    command.argv = {InstallDirs::find().runner().string(), "provider-worker"};
    command.input = to_json(job);
    Conversation conversation(job.name);
    process::Child worker(command, [&](std::string_view line) { conversation.take(line); });
    process::ExitStatus status = await(worker, conversation, patience);
    if (!conversation.end()) {
        throw GitError(fmt::format("the process that fetches ended without a result: {}; its last words: {}",
                                   status.text(), conversation.last()));
    }
    const WorkerLine& end = *conversation.end();
    if (end.error) {
        if (end.refused) {
            throw GitRefusedError(*end.error);
        }
        throw GitError(*end.error);
    }
    return *end.result;
}

}  // namespace vt::providers
