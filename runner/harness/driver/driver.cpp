// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/driver.hpp"

#include "runner/harness/driver/text_template.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include <fmt/core.h>

namespace vt::driver {
namespace {

void call(const Hook& hook, Driver& driver) {
    if (hook) {
        hook(driver);
    }
}

}  // namespace

Driver::Driver(Settings settings, Parts parts) : settings_(std::move(settings)), parts_(std::move(parts)) {}

Driver::~Driver() {
    try {
        const std::string status = status_.current();
        if (!status.empty() && status != status_name(Status::stopped)) {
            abort();
        }
    } catch (const std::exception& error) {
        log::error("{}: {}", name(), error.what());
    }
}

void Driver::start() {
    if (aborted_) {
        throw StatusError(fmt::format("{} was aborted and cannot be started", name()));
    }
    if (status_.is(Status::starting) || status_.is(Status::started)) {
        return;
    }
    for (;;) {
        try {
            lives_.push_back({std::chrono::steady_clock::now(), {}, {}});
            bring_up();
            return;
        } catch (const Error& error) {
            end_life("did not start", TimelineBar::Outcome::bad);
            if (failovers_.empty()) {
                throw;
            }
            log::warning("{} does not start, what was registered for that is tried: {}", name(),
                         error.what());
        }
        call(parts_.aborting ? parts_.aborting : parts_.stopping, *this);
        status_.force(Status::stopped);
        parts_ = std::move(failovers_.front());
        failovers_.erase(failovers_.begin());
    }
}

void Driver::end_life(const std::string& how, TimelineBar::Outcome outcome) {
    if (!lives_.empty() && !lives_.back().ended) {
        lives_.back().ended = std::chrono::steady_clock::now();
        lives_.back().how = how;
        lives_.back().outcome = outcome;
    }
}

void Driver::bring_up() {
    status_.change(Status::starting);
    log::info("starting {}", name());
    prepare();
    call(settings_.pre_start, *this);
    call(parts_.starting, *this);
    await_started();
    status_.change(Status::started);
    log::info("{} started", name());
    call(settings_.post_start, *this);
}

void Driver::prepare() {
    run_path_ = settings_.run_path;
    if (run_path_.empty()) {
        if (environment_ == nullptr) {
            throw Error(fmt::format("{} has no run path: give it one, or add it to an environment", name()));
        }
        run_path_ = environment_->run_path_ / name();
    }
    make_run_path(run_path_, settings_.path_cleanup);
    const Lookup lookup = [this](const std::string& wanted) { return value(wanted); };
    for (const auto& file : settings_.install_files) {
        install_file(resolve(file.first.string()), run_path_ / resolve(file.second.string()), lookup);
    }
    extracts_.clear();
    log_.reset();
    if (!settings_.log_expressions.empty()) {
        if (parts_.logs.empty()) {
            throw Error(fmt::format("{} has no log that its expressions could match", name()));
        }
        log_.emplace(run_path_ / parts_.logs.front(), settings_.log_expressions);
    }
}

bool Driver::log_says_started() {
    if (!log_) {
        return true;
    }
    const bool all = log_->look();
    for (const auto& extract : log_->lines().extracts()) {
        extracts_[extract.first] = extract.second;
    }
    return all;
}

void Driver::await_started() {
    await("started", [this] {
        // The check first: it may know that waiting for the log is in vain.
        return (!parts_.started_check || parts_.started_check(*this)) && log_says_started();
    });
}

void Driver::await(const char* what, const std::function<bool()>& done) {
    const Deadline deadline = Deadline::after(settings_.timeout);
    Seconds pause = settings_.check_interval.first;
    while (!done()) {
        if (deadline.expired()) {
            std::string left;
            for (const std::size_t index : log_ ? log_->lines().unmatched() : std::vector<std::size_t>{}) {
                left += fmt::format("; its log has no line '{}'", settings_.log_expressions[index].pattern);
            }
            throw TimeoutError(fmt::format("{} has not {} after {:.1f} s{}{}", name(), what,
                                           settings_.timeout.count(), left, error_log()));
        }
        // A kind's check is a question that has no event to wait for.
        std::this_thread::sleep_for(std::min(pause, deadline.remaining()));
        pause = std::min(2 * pause, settings_.check_interval.longest);
    }
}

void Driver::stop() {
    if (status_.is(Status::none) || status_.is(Status::stopping) || status_.is(Status::stopped)) {
        return;
    }
    status_.change(Status::stopping);
    log::info("stopping {}", name());
    try {
        call(settings_.pre_stop, *this);
        call(parts_.stopping, *this);
        await("stopped", [this] { return !parts_.stopped_check || parts_.stopped_check(*this); });
    } catch (...) {
        status_.force(Status::stopped);
        end_life("did not stop as it should", TimelineBar::Outcome::bad);
        throw;
    }
    status_.change(Status::stopped);
    end_life("stopped", TimelineBar::Outcome::good);
    log::info("{} stopped", name());
    call(settings_.post_stop, *this);
}

void Driver::pause() {
    status_.change(Status::pausing);
    call(parts_.pausing, *this);
    status_.change(Status::paused);
}

void Driver::resume() {
    status_.change(Status::resuming);
    call(parts_.resuming, *this);
    status_.change(Status::started);
}

void Driver::restart() {
    stop();
    start();
}

void Driver::abort() {
    if (aborted_) {
        return;
    }
    aborted_ = true;
    log::info("aborting {}", name());
    call(parts_.aborting ? parts_.aborting : parts_.stopping, *this);
    status_.force(Status::stopped);
    end_life("aborted", TimelineBar::Outcome::killed);
}

void Driver::register_failover(Parts parts) {
    failovers_.push_back(std::move(parts));
}

std::optional<std::string> Driver::value(const std::string& name) const {
    if (name == "name") {
        return settings_.name;
    }
    if (name == "run_path" || name == "runpath") {
        return run_path_.string();
    }
    const auto extract = extracts_.find(name.rfind("extracts.", 0) == 0 ? name.substr(9) : name);
    if (extract != extracts_.end()) {
        return extract->second;
    }
    std::optional<std::string> found = parts_.value ? parts_.value(*this, name) : std::nullopt;
    return found || environment_ == nullptr ? found : environment_->value(name);
}

std::string Driver::resolve(const std::string& text) const {
    return fill_in(text, [this](const std::string& name) { return value(name); });
}

std::string Driver::error_log() const {
    std::string text;
    for (const auto& log : parts_.logs) {
        for (const std::string& line : last_lines(run_path_ / log, settings_.error_log_lines)) {
            text += fmt::format("\n{}: {}", log.string(), line);
        }
    }
    return text;
}

}  // namespace vt::driver
