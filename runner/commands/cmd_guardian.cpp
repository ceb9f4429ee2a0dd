// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/commands.hpp"
#include "runner/process/guardian.hpp"
#include "runner/support/printable.hpp"

#include <charconv>

#include <fmt/core.h>
#include <sys/prctl.h>

namespace vt {
namespace {

constexpr int listener_fd = 3;

/// "PID:START".
ProcessId parse_owner(const std::string& text) {
    ProcessId owner;
    const char* end = text.data() + text.size();
    const auto pid = std::from_chars(text.data(), end, owner.pid);
    if (pid.ec != std::errc() || pid.ptr == end || *pid.ptr != ':' ||
        std::from_chars(pid.ptr + 1, end, owner.start_time).ptr != end) {
        throw Error(fmt::format("--owner should be PID:START, but it is {}", text));
    }
    return owner;
}

}  // namespace

int run_guardian_command(const std::vector<std::string>& arguments) {
    try {
        if (arguments.size() != 6 || arguments[0] != "--job-dir" || arguments[2] != "--owner" ||
            arguments[4] != "--journal") {
            throw Error("guardian is started by the runner itself");
        }
        ::prctl(PR_SET_NAME, "vt-guardian");
        return process::serve_guardian(listener_fd, arguments[1], parse_owner(arguments[3]), arguments[5]);
    } catch (const Error& error) {
        fmt::print(stderr, "avocado-runner-vt: {}\n", printable(error.what()));
        return 2;
    }
}

}  // namespace vt
