// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/native/plan_api.hpp"

#include "runner/env/test_context.hpp"
#include "runner/env/test_status.hpp"
#include "runner/harness/plan/errors.hpp"
#include "runner/harness/plan/plan.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <filesystem>

namespace vt::api {
namespace {

plan::PlanOptions options_of(const TestContext& context, std::string_view name) {
    plan::PlanOptions options;
    options.test_case = std::filesystem::path(context.name).filename().native();
    options.name = name.empty() ? options.test_case : std::string(name);
    options.logs = context.logdir;
    auto file = options.name;
    std::replace(file.begin(), file.end(), '/', '_');
    options.picture = context.logdir / (file + ".timeline.svg");
    return options;
}

}  // namespace

const std::string& Participant::name() const {
    return impl_->name();
}

std::string_view Participant::state() const {
    return plan::state_name(impl_->state());
}

struct Plan::Impl {
    Impl(const TestContext& context, std::string_view name)
        : plan(std::make_shared<IoLoop>(), options_of(context, name)) {}

    plan::Plan plan;
};

Plan::Plan(Test& test, std::string_view name) : impl_(std::make_shared<Impl>(test.impl(), name)) {}

Participant Plan::spawn(std::vector<std::string> argv) {
    return Participant(impl_->plan.spawn(std::move(argv)));
}

std::vector<Participant> Plan::spawn_par(std::vector<std::vector<std::string>> argvs) {
    std::vector<Participant> those;
    for (auto& process : impl_->plan.spawn_par(std::move(argvs))) {
        those.emplace_back(std::move(process));
    }
    return those;
}

Participant Plan::spawn_thread(std::string_view name, std::function<void(const std::stop_token&)> function) {
    return Participant(impl_->plan.spawn_thread(std::string(name), std::move(function)));
}

void Plan::wait(const Participant& who, ExitCode expected) {
    impl_->plan.wait(who.impl(), expected);
}

void Plan::wait_par(const std::vector<std::pair<Participant, ExitCode>>& those) {
    std::vector<std::pair<plan::ParticipantPtr, plan::ExitCode>> pairs;
    for (const auto& pair : those) {
        pairs.emplace_back(pair.first.impl(), pair.second);
    }
    impl_->plan.wait_par(pairs);
}

void Plan::kill(const Participant& who, ExitCode expected) {
    impl_->plan.kill(who.impl(), expected);
}

void Plan::set_timeout(Seconds timeout) {
    impl_->plan.set_timeout(timeout);
}

void Plan::execute() {
    try {
        impl_->plan.execute();
    } catch (const plan::PlanError& error) {
        throw TestFail(error.what());
    }
}

std::string Plan::table() const {
    return impl_->plan.table();
}

}  // namespace vt::api
