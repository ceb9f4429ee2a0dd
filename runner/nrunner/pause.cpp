// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/pause.hpp"

#include "runner/nrunner/runnable.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt::nrunner {
void tell_terminal(std::string_view text) {
    const UniqueFd terminal(::open("/dev/tty", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!terminal || ::tcgetpgrp(terminal.get()) != ::getpgrp()) {
        return;
    }
    try {
        // After the ^Z that the terminal has echoed.
        write_all(terminal.get(), "\n" + replace_all(std::string(text), "\n", "\r\n") + "\r\n");
    } catch (const SystemError&) {  // a terminal that does not take it now; the log has the same words
    }
}

std::string pause_words(const Task& task, const std::string& ways_in) {
    const auto name = task.id.empty() ? task.runnable.uri : task.id;
    auto text = fmt::format("Test {} is paused.", name);
    const auto lines = std::string(trim(ways_in));
    text += lines.empty() ? " It has no machine that runs.\n" : " Its machines run on.\n" + lines + "\n";
    return text + fmt::format(
                      "Ctrl+Z, or kill -CONT {}, lets it go on; Ctrl+C ends it. The test's time limits wait, "
                      "those of "
                      "Avocado (--job-timeout, task.timeout.running) do not.",
                      ::getpid());
}

}  // namespace vt::nrunner
