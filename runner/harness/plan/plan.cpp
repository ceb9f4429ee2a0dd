// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/plan.hpp"

#include "runner/harness/plan/errors.hpp"
#include "runner/harness/plan/picture.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

namespace vt::plan {

Plan::Plan(std::shared_ptr<IoLoop> loop, PlanOptions options)
    : loop_(std::move(loop)),
      options_(std::move(options)),
      logs_(options_.logs, options_.test_case, options_.name) {}

std::shared_ptr<Process> Plan::spawn(std::vector<std::string> argv) {
    return spawn_par({std::move(argv)}).front();
}

std::vector<std::shared_ptr<Process>> Plan::spawn_par(std::vector<std::vector<std::string>> argvs) {
    std::vector<std::shared_ptr<Process>> processes;
    for (auto& argv : argvs) {
        auto name = names_.next(argv.empty() ? "" : argv.front());
        processes.push_back(
            std::make_shared<Process>(loop_, std::move(name), std::move(argv), logs_.output_dir()));
    }
    steps_.emplace_back(CheckExits{});
    for (const auto& process : processes) {
        steps_.emplace_back(Spawn{process});
    }
    return processes;
}

std::shared_ptr<Thread> Plan::spawn_thread(const std::string& name, Thread::Function function) {
    auto thread = std::make_shared<Thread>(names_.next(name), std::move(function));
    steps_.emplace_back(CheckExits{});
    steps_.emplace_back(Spawn{thread});
    return thread;
}

void Plan::wait(const ParticipantPtr& who, ExitCode expected) {
    wait_par({{who, expected}});
}

void Plan::wait_par(const std::vector<std::pair<ParticipantPtr, ExitCode>>& those) {
    CheckExits check;
    for (const auto& pair : those) {
        check.expected.push_back(pair.first);
    }
    steps_.emplace_back(std::move(check));
    for (const auto& pair : those) {
        steps_.emplace_back(Wait{pair.first, pair.second});
    }
}

void Plan::kill(const ParticipantPtr& who, ExitCode expected) {
    steps_.emplace_back(CheckExits{});
    steps_.emplace_back(Kill{who});
    steps_.emplace_back(Wait{who, expected});
}

void Plan::write_picture() const {
    if (options_.picture.empty()) {
        return;
    }
    try {
        write_file_atomically(options_.picture,
                              timeline(options_.test_case + ": " + options_.name, participants(steps_)));
    } catch (const Error& error) {
        log::warning("the plan's timeline cannot be written: {}", error.what());
    }
}

void Plan::execute(const Deadline& deadline) {
    try {
        executor_.run(steps_, {timeout_, deadline});
    } catch (...) {
        write_picture();
        log::info("plan: the output of its processes is in {}", logs_.output_dir().native());
        throw;
    }
    write_picture();
    logs_.remove();
}

std::string Plan::table() const {
    return plan::table(steps_, executor_.times());
}

}  // namespace vt::plan
