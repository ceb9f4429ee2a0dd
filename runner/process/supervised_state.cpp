// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/supervised_state.hpp"

#include "runner/io/socket.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>
#include <filesystem>

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>

namespace vt::process {
namespace {

std::string name_of(const Description& description) {
    if (!description.name.empty() || description.command.argv.empty()) {
        return description.name;
    }
    return std::filesystem::path(description.command.argv.front()).filename().string();
}

}  // namespace

Flag::Flag() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) {
        throw SystemError("cannot make an event descriptor", errno);
    }
}

void Flag::set() {
    if (!set_.exchange(true)) {
        ::eventfd_write(fd_.get(), 1);  // never read back
    }
}

SupervisedState::SupervisedState(IoLoop& its_loop, Description its_description)
    : loop(its_loop),
      description(std::move(its_description)),
      name(name_of(description)),
      mark(new_supervision_mark()),
      started(std::chrono::steady_clock::now()),
      out(std::make_unique<OutputSink>(name, description.out)),
      err(std::make_unique<OutputSink>(name, description.err)) {
    const auto* line = std::get_if<ReadyLine>(&description.ready);
    if (line == nullptr) {
        return;
    }
    ready_pattern.emplace(line->pattern);
    const auto look = [this](std::string_view text) {
        if (!ready_flag.is_set() && ready_pattern->search(text)) {
            ready_flag.set();
        }
    };
    if (line->in == ReadyLine::In::any || line->in == ReadyLine::In::out) {
        out->also(look);
    }
    if (line->in == ReadyLine::In::any || line->in == ReadyLine::In::err) {
        err->also(look);
    }
}

SupervisedState::Woken SupervisedState::await(int fd, const Deadline& deadline,
                                              const Interrupt* interrupt) const {
    for (;;) {
        std::array<pollfd, 3> fds{pollfd{fd, POLLIN, 0}, pollfd{ended_flag.fd(), POLLIN, 0},
                                  pollfd{interrupt == nullptr ? -1 : interrupt->fd(), POLLIN, 0}};
        const int count = ::poll(fds.data(), fds.size(), deadline.poll_timeout_ms());
        if (count < 0 && errno != EINTR) {
            throw SystemError("cannot wait for " + name, errno);
        }
        if (count > 0 && fds[0].revents != 0) {
            return Woken::event;
        }
        if (count > 0 && fds[1].revents != 0) {
            return Woken::ended;
        }
        if (interrupt != nullptr && interrupt->reason()) {
            throw InterruptedError(*interrupt->reason());
        }
        if (count <= 0 && deadline.expired()) {
            return Woken::deadline;
        }
    }
}

std::optional<ExitStatus> SupervisedState::ended() const {
    const std::lock_guard lock(mutex);
    return status;
}

void SupervisedState::signal(int signal, bool whole_group) {
    const std::lock_guard lock(mutex);
    if (whole_group) {
        child.signal_group(signal);
    } else {
        child.signal(signal);
    }
}

void SupervisedState::note(const std::string& text) {
    const std::lock_guard lock(mutex);
    if (noted.empty()) {
        noted = text;
    }
}

std::string SupervisedState::last_words() const {
    auto lines = err->last_lines();
    const bool errors = !lines.empty();
    if (!errors) {
        lines = out->last_lines();
    }
    if (lines.empty()) {
        return "; it printed nothing";
    }
    constexpr std::size_t shown = 5;
    const auto from = lines.size() > shown ? lines.size() - shown : 0;
    const std::vector<std::string> last(lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end());
    return fmt::format("; the last of its standard {}: {}", errors ? "error" : "output",
                       to_valid_utf8(join(last, "\n")));
}

std::string SupervisedState::report() const {
    std::optional<ExitStatus> how;
    std::string why;
    auto until = std::chrono::steady_clock::now();
    {
        const std::lock_guard lock(mutex);
        how = status;
        why = noted.empty() ? "" : fmt::format(" ({})", noted);
        if (how) {
            until = ended_at;
        }
    }
    const auto lived = Seconds(until - started).count();
    if (!how) {
        return fmt::format("{} (process {}) has been running for {:.1f} s{}{}", name, id.pid, lived, why,
                           last_words());
    }
    return fmt::format("{} (process {}) {} {} after {:.1f} s{}{}", name, id.pid,
                       how->signal == 0 ? "ended with" : "was", how->text(), lived, why, last_words());
}

}  // namespace vt::process
