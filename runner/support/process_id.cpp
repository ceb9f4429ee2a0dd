// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/strings.hpp"

#include <charconv>

#include <fmt/core.h>

namespace vt {
namespace {

/// State, parent and start time of a process from its /proc/PID/stat; state 0 if there is none.
struct ProcStat {
    char state = 0;
    pid_t parent = 0;
    std::uint64_t start_time = 0;
};

ProcStat read_stat(pid_t pid) {
    std::string text;
    try {
        text = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    } catch (const Error&) {
        return {};
    }
    // The name in parentheses may hold anything, so fields are counted from the last parenthesis.
    const auto end = text.rfind(')');
    if (end == std::string::npos) {
        return {};
    }
    const auto fields = split_words(std::string_view(text).substr(end + 1));
    ProcStat stat;
    if (fields.size() > 19) {
        stat.state = fields[0][0];
        std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), stat.parent);
        const auto& start = fields[19];
        std::from_chars(start.data(), start.data() + start.size(), stat.start_time);
    }
    return stat;
}

}  // namespace

ProcessId ProcessId::of(pid_t pid) {
    return {pid, read_stat(pid).start_time};
}

bool ProcessId::alive() const {
    const auto stat = read_stat(pid);
    return stat.state != 0 && stat.state != 'Z' && stat.state != 'X' && stat.start_time == start_time;
}

pid_t ProcessId::parent() const {
    const auto stat = read_stat(pid);
    return stat.start_time == start_time ? stat.parent : 0;
}

}  // namespace vt
