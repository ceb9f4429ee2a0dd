// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/process.hpp"

#include "runner/harness/plan/errors.hpp"
#include "runner/harness/plan/participant.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/process/supervised.hpp"
#include "runner/support/strings.hpp"

#include <mutex>
#include <utility>

#include <fmt/core.h>

namespace vt::plan {
namespace {

constexpr std::size_t shown_lines = 5;

/// The moment of an end, written by the loop's thread.
class Moment {
  public:
    void set() {
        const std::lock_guard lock(mutex_);
        at_ = Participant::Clock::now();
    }
    std::optional<Participant::Clock::time_point> get() const {
        const std::lock_guard lock(mutex_);
        return at_;
    }

  private:
    mutable std::mutex mutex_;
    std::optional<Participant::Clock::time_point> at_;
};

std::vector<std::string> with_full_path(std::vector<std::string> argv) {
    if (argv.empty()) {
        throw CommandNotFound("");
    }
    const auto program = process::find_program(argv.front());
    if (!program) {
        throw CommandNotFound(argv.front());
    }
    argv.front() = std::filesystem::absolute(*program).native();
    return argv;
}

/// "the last of its standard error: …" of the last lines, or nothing.
std::string last_of(const process::Supervised& process, process::Stream stream, const char* what) {
    auto lines = process.last_lines(stream);
    if (lines.size() > shown_lines) {
        lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(shown_lines));
    }
    const std::string text(trim(join(lines, "\n")));
    return text.empty() ? std::string() : fmt::format("the last of its standard {}: {}", what, text);
}

}  // namespace

struct Process::Run {
    std::shared_ptr<Moment> ended = std::make_shared<Moment>();
    process::Supervised process;

    Run(IoLoop& loop, process::Description description) : process(loop, watched(std::move(description))) {}

    process::Description watched(process::Description description) {
        description.on_exit = [moment = ended](const process::ExitStatus&) { moment->set(); };
        return description;
    }
};

Process::Process(std::shared_ptr<IoLoop> loop, std::string name, std::vector<std::string> argv,
                 std::filesystem::path log_dir)
    : Participant(std::move(name)),
      loop_(std::move(loop)),
      argv_(with_full_path(std::move(argv))),
      log_dir_(std::move(log_dir)) {}

Process::~Process() = default;

std::string Process::what() const {
    process::Command command;
    command.argv = argv_;
    return command.text();
}

std::string Process::text() const {
    return fmt::format("<Process {} in state {}>", name(), state_name(state()));
}

State Process::state() const {
    if (!run_) {
        return State::not_started;
    }
    return run_->process.running() ? State::started : State::stopped;
}

void Process::start() {
    if (run_) {
        throw Error(fmt::format("{} has been started before; a process of a plan is started once", text()));
    }
    process::Description description;
    description.name = name();
    description.command.argv = argv_;
    description.command.environment = {{"FLU_DEBUG", "5"}};
    description.out.file = log_dir_ / (name() + ".stdout");
    description.err.file = log_dir_ / (name() + ".stderr");
    run_ = std::make_unique<Run>(*loop_, std::move(description));
}

void Process::kill(int signal) {
    if (state() != State::started) {
        throw Error(fmt::format("{} cannot be killed, as it does not run", text()));
    }
    run_->process.signal(signal, false);
}

void Process::end() {
    if (run_) {
        run_->process.kill();
    }
}

int Process::ended_fd() const {
    return run_ ? run_->process.ended_fd() : -1;
}

ExitCode Process::exit_code() const {
    const auto how = status();
    return how && how->signal == 0 ? ExitCode(how->code) : std::nullopt;
}

std::string Process::last_words() const {
    if (!run_) {
        return {};
    }
    std::string text;
    if (const auto how = status()) {
        text = how->signal == 0 ? "it ended with " + how->text() : "it was " + how->text();
    } else {
        text = "it is still running";
    }
    auto said = last_of(run_->process, process::Stream::err, "error");
    if (said.empty()) {
        said = last_of(run_->process, process::Stream::out, "output");
    }
    return text + (said.empty() ? ", it printed nothing" : ", " + said);
}

std::optional<Participant::Clock::time_point> Process::began() const {
    return run_ ? std::optional(run_->process.started_at()) : std::nullopt;
}

std::optional<Participant::Clock::time_point> Process::ended() const {
    return run_ ? run_->ended->get() : std::nullopt;
}

std::optional<pid_t> Process::pid() const {
    return run_ ? std::optional(run_->process.pid()) : std::nullopt;
}

std::optional<process::ExitStatus> Process::status() const {
    return run_ ? run_->process.status() : std::nullopt;
}

}  // namespace vt::plan
