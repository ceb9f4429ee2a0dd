// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/process.hpp"
#include "runner/support/strings.hpp"

#include <cstring>

#include <fmt/core.h>
#include <sys/wait.h>

namespace vt::process {

std::string ExitStatus::text() const {
    if (signal == 0) {
        return fmt::format("exit status {}", code);
    }
    const char* name = ::sigabbrev_np(signal);
    return fmt::format("killed by {}{}",
                       name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name),
                       core ? " (core dumped)" : "");
}

ExitStatus ExitStatus::from_wait(int status) {
    ExitStatus result;
    if (WIFSIGNALED(status)) {
        result.signal = WTERMSIG(status);
        result.core = WCOREDUMP(status);
    } else {
        result.code = WEXITSTATUS(status);
    }
    return result;
}

std::string Command::text() const {
    return shell_quote(argv);
}

namespace {

std::string command_error_text(const Command& command, const Completed& completed) {
    const auto& output = command.merge_stderr || completed.err.empty() ? completed.out : completed.err;
    const auto end =
        trim(std::string_view(output).substr(output.size() - std::min<std::size_t>(output.size(), 2000)));
    return fmt::format("the command {} ended with {}{}{}", command.text(), completed.status.text(),
                       end.empty() ? "" : ": ", end);
}

}  // namespace

CommandError::CommandError(const Command& command, Completed completed)
    : Error(command_error_text(command, completed)), completed_(std::move(completed)) {}

}  // namespace vt::process
