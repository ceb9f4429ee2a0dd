// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/driver/process_driver.hpp"

#include "runner/harness/driver/tcp.hpp"
#include "runner/process/supervised.hpp"
#include "runner/support/error.hpp"

#include <utility>

#include <fmt/core.h>

namespace vt::driver {
namespace {

using Process = std::shared_ptr<std::unique_ptr<process::Supervised>>;

process::Description description_of(const Driver& driver, const ProcessTexts& texts) {
    process::Description description;
    description.name = driver.name();
    for (const std::string& word : texts.argv) {
        description.command.argv.push_back(driver.resolve(word));
    }
    for (const auto& variable : texts.environment) {
        description.command.environment[variable.first] = driver.resolve(variable.second);
    }
    description.command.working_dir = driver.run_path();
    description.input.kind = process::InputFrom::Kind::pipe;
    description.out.file = driver.run_path() / "stdout";
    description.err.file = driver.run_path() / "stderr";
    description.stop.signal = texts.stop_signal;
    description.stop.grace = texts.grace;
    return description;
}

void stop(const Process& process, const Driver& driver, const std::optional<int>& wanted) {
    if (!*process) {
        return;
    }
    const process::ExitStatus status = (*process)->stop(Deadline::after(driver.settings().timeout));
    if (wanted && (status.signal != 0 || status.code != *wanted)) {
        throw Error(
            fmt::format("{} ended with {}, not with exit status {}", driver.name(), status.text(), *wanted));
    }
}

}  // namespace

ProcessDriver::ProcessDriver(Driver& driver, Process process)
    : driver_(&driver), process_(std::move(process)) {}

std::optional<pid_t> ProcessDriver::pid() const {
    return *process_ ? std::optional((*process_)->pid()) : std::nullopt;
}

bool ProcessDriver::running() const {
    return *process_ && (*process_)->running();
}

void ProcessDriver::write(std::string_view bytes, const Deadline& deadline) const {
    if (!*process_) {
        throw NoConnectionError(driver_->name() + " is not started: there is nobody to write to");
    }
    (*process_)->write(bytes, deadline);
}

ProcessDriver add_process(Environment& environment, Settings settings, ProcessTexts texts) {
    const Process process = std::make_shared<std::unique_ptr<process::Supervised>>();
    Parts parts;
    parts.logs = {"stdout", "stderr"};
    parts.starting = [process, texts, &loop = environment.loop()](Driver& driver) {
        *process = std::make_unique<process::Supervised>(loop, description_of(driver, texts));
    };
    parts.started_check = [process](Driver&) {
        if (!(*process)->running()) {
            throw Error((*process)->report());
        }
        return true;
    };
    parts.stopping = [process, wanted = texts.exit_status](Driver& driver) { stop(process, driver, wanted); };
    parts.pausing = [process](Driver&) { (*process)->signal(SIGSTOP); };
    parts.resuming = [process](Driver&) { (*process)->signal(SIGCONT); };
    parts.aborting = [process](Driver&) {
        if (*process) {
            (*process)->kill();
        }
    };
    parts.value = [process](const Driver&, const std::string& value) {
        return value == "pid" && *process ? std::optional(std::to_string((*process)->pid())) : std::nullopt;
    };
    Driver& driver = environment.add(std::make_unique<Driver>(std::move(settings), std::move(parts)));
    return {driver, process};
}

}  // namespace vt::driver
