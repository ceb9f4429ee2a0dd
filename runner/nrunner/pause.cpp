// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/pause.hpp"

#include "runner/nrunner/runnable.hpp"
#include "runner/support/deadline.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

namespace vt::nrunner {
namespace {

/// For a terminal that takes nothing (Ctrl+S), since the supervisor's loop waits meanwhile.
constexpr Seconds terminal_patience{0.2};

/// Writes as much of \p text as \p fd takes in time; the log has the same words.
void write_in_time(int fd, std::string_view text) {
    const auto deadline = Deadline::after(terminal_patience);
    while (!text.empty() && !deadline.expired()) {
        const auto size = ::write(fd, text.data(), text.size());
        if (size > 0) {
            text.remove_prefix(static_cast<std::size_t>(size));
        } else if (errno == EAGAIN) {
            // Full, or another task is writing: Linux refuses a non-blocking write beside another one.
            pollfd ready{fd, POLLOUT, 0};
            ::poll(&ready, 1, deadline.poll_timeout_ms());
        } else if (errno != EINTR) {
            return;
        }
    }
}

}  // namespace

void tell_terminal(std::string_view text) {
    const UniqueFd terminal(::open("/dev/tty", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (!terminal || ::tcgetpgrp(terminal.get()) != ::getpgrp()) {
        return;
    }
    // After the ^Z that the terminal has echoed.
    write_in_time(terminal.get(), "\n" + replace_all(std::string(text), "\n", "\r\n") + "\r\n");
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
