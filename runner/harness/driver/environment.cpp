// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/dependencies.hpp"
#include "runner/harness/driver/driver.hpp"
#include "runner/harness/driver/text_template.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/core.h>

namespace vt::driver {
namespace {

/// What the threads of a start (or stop) tell the one that directs them.
class Reports {
  public:
    /// The index of a driver, and what went wrong (empty: nothing).
    using Report = std::pair<std::size_t, std::string>;

    void tell(std::size_t index, std::string failure) {
        {
            const std::lock_guard lock(mutex_);
            told_.emplace_back(index, std::move(failure));
        }
        came_.notify_one();
    }
    Report next() {
        std::unique_lock lock(mutex_);
        came_.wait(lock, [this] { return !told_.empty(); });
        Report report = std::move(told_.front());
        told_.pop_front();
        return report;
    }

  private:
    std::mutex mutex_;
    std::condition_variable came_;
    std::deque<Report> told_;
};

/// The order of a start. Throws Error for a circle, or for a driver that is not there.
Dependencies order_of(const std::vector<std::unique_ptr<Driver>>& drivers) {
    Dependencies order;
    for (std::size_t i = 0; i < drivers.size(); ++i) {
        order.add(i, drivers[i]->name());
    }
    for (std::size_t i = 0; i < drivers.size(); ++i) {
        for (const std::string& before : drivers[i]->settings().after) {
            const auto found = std::find_if(drivers.begin(), drivers.end(),
                                            [&](const auto& driver) { return driver->name() == before; });
            if (found == drivers.end()) {
                throw Error(fmt::format("{} comes after '{}', which is no driver of this environment",
                                        drivers[i]->name(), before));
            }
            order.add_edge(static_cast<Dependencies::Key>(found - drivers.begin()), i);
        }
    }
    const std::vector<std::string> circle = order.circle();
    if (!circle.empty()) {
        throw Error(
            fmt::format("the drivers wait for each other in a circle: {}; none of them could start first",
                        join(circle, " -> ")));
    }
    return order;
}

}  // namespace

Environment::Environment(std::filesystem::path run_path)
    : run_path_(std::move(run_path)), loop_(std::make_unique<IoLoop>()) {}

Environment::~Environment() {
    try {
        stop();
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
    drivers_.clear();  // while the loop runs
}

Driver& Environment::add(std::unique_ptr<Driver> driver) {
    const std::string& name = driver->name();
    const auto parsed = TextTemplate::parse("{{" + name + "}}");
    if (!parsed || parsed->names().size() != 1 || name.find('.') != std::string::npos) {
        throw Error(fmt::format("'{}' is no name for a driver: letters, digits and _ are", name));
    }
    for (const auto& other : drivers_) {
        if (other->name() == name) {
            throw Error(fmt::format("the environment has a driver '{}' already", name));
        }
    }
    driver->environment_ = this;
    drivers_.push_back(std::move(driver));
    return *drivers_.back();
}

Driver& Environment::get(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& driver : drivers_) {
        if (driver->name() == name) {
            return *driver;
        }
        names.push_back(driver->name());
    }
    throw Error(fmt::format("the environment has no driver '{}', but {}", name,
                            names.empty() ? "none at all" : join(names, ", ")));
}

std::optional<std::string> Environment::value(const std::string& name) const {
    const std::size_t dot = name.find('.');
    for (const auto& driver : drivers_) {
        if (dot != std::string::npos && driver->name() == name.substr(0, dot) &&
            driver->status().is(Status::started)) {
            const std::string wanted = name.substr(dot + 1);
            // Not driver->value(): that would ask here again.
            if (wanted == "name") {
                return driver->name();
            }
            const auto extract = driver->extracts().find(wanted);
            if (extract != driver->extracts().end()) {
                return extract->second;
            }
            if (wanted == "run_path" || wanted == "runpath") {
                return driver->run_path().string();
            }
            return driver->parts_.value ? driver->parts_.value(*driver, wanted) : std::nullopt;
        }
    }
    return std::nullopt;
}

std::vector<std::string> Environment::run_all(bool starting) {
    Dependencies order = starting ? order_of(drivers_) : order_of(drivers_).reversed();
    std::vector<std::string> failures;
    std::vector<std::thread> threads;
    Reports reports;
    while (!order.empty()) {
        for (const Dependencies::Key index : order.ready()) {
            order.begin(index);
            threads.emplace_back([this, starting, index, &reports] {
                Driver& driver = *drivers_[index];
                std::string failure;
                try {
                    if (!starting) {
                        driver.stop();
                    } else if (driver.settings().auto_start) {
                        driver.start();
                    }
                } catch (const std::exception& error) {
                    failure = fmt::format("{} {}: {}", driver.name(),
                                          starting ? "does not start" : "does not stop", error.what());
                }
                reports.tell(index, std::move(failure));
            });
        }
        Reports::Report report = reports.next();
        if (report.second.empty()) {
            order.finish(report.first);
            continue;
        }
        failures.push_back(std::move(report.second));
        if (starting) {
            order.drop_waiting();
        }
        order.give_up(report.first);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return failures;
}

void Environment::start() {
    std::vector<std::string> failures = run_all(true);
    if (failures.empty()) {
        return;
    }
    const std::vector<std::string> more = run_all(false);
    failures.insert(failures.end(), more.begin(), more.end());
    throw Error(join(failures, "\n"));
}

std::string Environment::timeline(const std::string& title) const {
    const auto now = std::chrono::steady_clock::now();
    auto zero = now;
    for (const auto& driver : drivers_) {
        if (!driver->lives().empty()) {
            zero = std::min(zero, driver->lives().front().began);
        }
    }
    const auto seconds = [zero](std::chrono::steady_clock::time_point at) {
        return std::chrono::duration<double>(at - zero).count();
    };
    std::vector<TimelineBar> bars;
    for (const auto& driver : drivers_) {
        for (const Life& life : driver->lives()) {
            bars.push_back({driver->name(), driver->run_path().string(),
                            life.ended ? life.how : std::string("has not ended"), life.outcome,
                            seconds(life.began), seconds(life.ended.value_or(now))});
        }
    }
    return vt::timeline(title, bars);
}

void Environment::stop() {
    const std::vector<std::string> failures = run_all(false);
    if (!failures.empty()) {
        throw Error(join(failures, "\n"));
    }
}

}  // namespace vt::driver
