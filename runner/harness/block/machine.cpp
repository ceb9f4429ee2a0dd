// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/block/machine.hpp"

#include "runner/monitor/monitor_error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

namespace vt::block {
namespace fs = std::filesystem;
namespace {

using Json = nlohmann::json;

constexpr Seconds death{60};
constexpr std::size_t shown_output = 2000;

std::pair<UniqueFd, UniqueFd> connected_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        throw SystemError("cannot make a connection for QMP", errno);
    }
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

bool contains(const Json& whole, const Json& part) {
    if (part.is_null()) {
        return true;
    }
    if (!part.is_object()) {
        return whole == part;
    }
    for (const auto& [key, value] : part.items()) {
        const auto found = whole.is_object() ? whole.find(key) : whole.end();
        if (found == whole.end() || !contains(*found, value)) {
            return false;
        }
    }
    return true;
}

Machine::Machine(IoLoop& loop, const Settings& settings, const Facts& facts, const fs::path& dir,
                 const std::vector<std::string>& arguments, const Deadline& deadline)
    : output_(dir / "qemu.log") {
    const auto firmware = dir / "idle.bin";
    write_idle_firmware(firmware);
    auto [ours, theirs] = connected_pair();
    ProgramStart start;
    start.argv = {settings.programs.qemu};
    for (const auto& word : split_words(qemu_options(settings, facts, firmware))) {
        start.argv.push_back(word);
    }
    start.argv.insert(start.argv.end(), {"-chardev", fmt::format("socket,id=mon,fd={}", theirs.get()), "-mon",
                                         "chardev=mon,mode=control"});
    start.argv.insert(start.argv.end(), arguments.begin(), arguments.end());
    const UniqueFd output(::open(output_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!output) {
        throw SystemError("cannot make " + output_.string(), errno);
    }
    start.output = output.get();
    start.inherited = {theirs.get()};
    program_ = std::make_unique<Program>(start);
    theirs.reset();
    try {
        monitor_ = QmpMonitor::attach(loop, {"qmp", "block", {}, dir / "qmp.log"}, std::move(ours), deadline);
    } catch (const MonitorError& error) {
        ended(fmt::format("QEMU did not start ({})", error.what()));
    }
}

void Machine::ended(const std::string& what) {
    const auto status = program_->wait(Deadline::after(Seconds(2)));
    const std::string said(trim(read_tail(output_, shown_output)));
    throw MachineError(fmt::format("{}: {}{}", what, status ? status->text() : "it still runs",
                                   said.empty() ? std::string() : "; it said: " + said));
}

Json Machine::command(const std::string& name, const Json& arguments, const Deadline& deadline) {
    try {
        return monitor_->command(name, arguments, deadline);
    } catch (const MonitorSocketError&) {
        ended(fmt::format("QEMU ended during the command {}", name));
    }
}

QmpEvent Machine::await_event(const std::string& name, const Json& match, const Deadline& deadline) {
    try {
        const auto wanted = [&](const QmpEvent& event) {
            return event.name() == name && contains(event.data(), match);
        };
        if (auto event = monitor_->take_event(wanted, deadline)) {
            return *event;
        }
    } catch (const MonitorSocketError&) {
        ended("QEMU ended while its event " + name + " was awaited");
    }
    throw TimeoutError(fmt::format("no event {}{} came within {:g} s", name,
                                   match.is_null() ? std::string() : " with " + match.dump(),
                                   deadline.total().count()));
}

std::string Machine::next_state(const std::string& id, const Deadline& deadline) {
    const auto event = await_event("JOB_STATUS_CHANGE", {{"id", id}}, deadline);
    return event.data().value("status", std::string());
}

std::string Machine::error_of(const std::string& id, const Deadline& deadline) {
    for (const auto& job : command("query-jobs", Json(), deadline)) {
        if (job.value("id", std::string()) == id && job.contains("error")) {
            return job["error"].get<std::string>();
        }
    }
    return {};
}

void Machine::await_ready(const std::string& id, const Deadline& deadline) {
    for (auto state = next_state(id, deadline); state != "ready"; state = next_state(id, deadline)) {
        if (state == "aborting" || state == "concluded" || state == "null") {
            throw JobError(
                fmt::format("the job {} ended before it was ready: {}", id, error_of(id, deadline)));
        }
    }
}

void Machine::run_job(const std::string& id, const JobRun& how, const Deadline& deadline) {
    std::string error;
    // One that is ready already has no further change of its state to tell of.
    for (const auto& job : command("query-jobs", Json(), deadline)) {
        if (job.value("id", std::string()) == id && job.value("status", std::string()) == "ready") {
            command("job-complete", {{"id", id}}, deadline);
        }
    }
    for (auto state = next_state(id, deadline); state != "null"; state = next_state(id, deadline)) {
        if (state == "aborting") {
            error = error_of(id, deadline);
        } else if (state == "ready") {
            try {
                command("job-complete", {{"id", id}}, deadline);
            } catch (const QMPCmdError&) {  // told to above
            }
        } else if (state == "pending" && !how.auto_finalize) {
            if (how.before_finalize) {
                how.before_finalize();
            }
            command(how.cancel ? "job-cancel" : "job-finalize", {{"id", id}}, deadline);
        } else if (state == "concluded" && !how.auto_dismiss) {
            const auto last = error_of(id, deadline);
            error = last.empty() ? error : last;
            command("job-dismiss", {{"id", id}}, deadline);
        }
    }
    if (!error.empty()) {
        throw JobError(fmt::format("the job {} failed: {}", id, error));
    }
}

void Machine::quit(const Deadline& deadline) {
    command("quit", Json(), deadline);
    const auto status = program_->wait(deadline);
    monitor_->close();
    if (!status) {
        power_cut();
        throw MachineError(fmt::format("QEMU did not end within {:g} s of `quit`", deadline.total().count()));
    }
    if (!status->ok()) {
        ended("QEMU was told to quit");
    }
}

void Machine::power_cut() {
    program_->signal(SIGKILL);
    program_->wait(Deadline::after(death));
    monitor_->close();
}

bool Machine::running() {
    return !program_->poll();
}

}  // namespace vt::block
