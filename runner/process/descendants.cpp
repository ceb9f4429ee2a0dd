// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/process.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <set>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace vt::process {
namespace {

/// The children of \p pid, of all its threads.
std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> found;
    std::error_code ignored;
    for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), ignored)) {
        std::string text;
        try {
            text = read_file(task.path() / "children", 1 << 20);
        } catch (const Error&) {
            continue;  // the thread ended meanwhile
        }
        for (const auto& word : split_words(text)) {
            pid_t child = 0;
            std::from_chars(word.data(), word.data() + word.size(), child);
            found.push_back(child);
        }
    }
    return found;
}

/// All descendants of \p pid except below \p spared.
void collect(pid_t pid, const std::vector<pid_t>& spared, std::set<pid_t>& found) {
    for (const pid_t child : children_of(pid)) {
        if (std::find(spared.begin(), spared.end(), child) == spared.end() && found.insert(child).second) {
            collect(child, spared, found);
        }
    }
}

void reap_zombies(const std::set<pid_t>& pids) {
    for (const pid_t pid : pids) {
        ::waitpid(pid, nullptr, WNOHANG);
    }
}

}  // namespace

void stop_tree(pid_t root) {
    ::kill(root, SIGSTOP);
    // What is stopped starts no more children; what was started meanwhile is found the next time.
    std::set<pid_t> stopped;
    for (bool more = true; more;) {
        std::set<pid_t> found;
        collect(root, {}, found);
        more = false;
        for (const pid_t pid : found) {
            if (stopped.insert(pid).second) {
                ::kill(pid, SIGSTOP);
                more = true;
            }
        }
    }
}

void continue_tree(pid_t root) {
    std::set<pid_t> found;
    collect(root, {}, found);
    for (const pid_t pid : found) {
        ::kill(pid, SIGCONT);
    }
    ::kill(root, SIGCONT);
}

std::size_t kill_descendants(const std::vector<pid_t>& spared, const Deadline& deadline) {
    std::set<pid_t> killed;
    for (;;) {
        std::set<pid_t> found;
        collect(::getpid(), spared, found);
        if (found.empty() || deadline.expired()) {
            return killed.size();
        }
        std::vector<pollfd> ends;
        std::vector<UniqueFd> handles;
        for (const pid_t pid : found) {
            ::kill(pid, SIGKILL);
            try {
                handles.push_back(open_pidfd(pid));
                ends.push_back({handles.back().get(), POLLIN, 0});
            } catch (const SystemError&) {  // ended meanwhile
            }
        }
        killed.insert(found.begin(), found.end());
        // One that cannot die (uninterruptible sleep) must not hold up the others: whoever is gone is reaped,
        // then all are looked at again.
        if (!ends.empty()) {
            ::poll(ends.data(), ends.size(), deadline.poll_timeout_ms());
        }
        reap_zombies(found);
    }
}

}  // namespace vt::process
