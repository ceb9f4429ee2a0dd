// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/process_state.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"

#include <fmt/core.h>

namespace vt {
namespace {

/// The letter; 0 for a process that is gone.
char state_of(pid_t pid) {
    try {
        const auto stat = read_file(fmt::format("/proc/{}/stat", pid), 4096);
        const auto name_end = stat.rfind(')');
        return name_end != std::string::npos && name_end + 2 < stat.size() ? stat[name_end + 2] : '\0';
    } catch (const Error&) {
        return '\0';
    }
}

}  // namespace

std::string process_state_text(pid_t pid) {
    switch (state_of(pid)) {
        case 'R':
            return "runs (it has work to do, or waits for a processor)";
        case 'S':
        case 'I':
            return "sleeps (it waits for something, and may have lost the command)";
        case 'D':
            return "waits for a disk, a network file system or another device (state D), and no signal "
                   "reaches it";
        case 'T':
            return fmt::format("is stopped (by SIGSTOP or the like; \"kill -CONT {}\" lets it go on)", pid);
        case 't':
            return "is stopped by a debugger";
        case '\0':
        case 'X':
        case 'Z':
            return "has ended";
        default:
            return "is in a state that has no name here";
    }
}

bool process_is_stopped(pid_t pid) {
    const char state = state_of(pid);
    return state == 'T' || state == 't';
}

}  // namespace vt
