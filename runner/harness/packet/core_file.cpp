// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/daemon.hpp"
#include "runner/process/process.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <string>

#include <fmt/format.h>

namespace vt::packet {
namespace fs = std::filesystem;
namespace {

std::string kernel_setting(const char* name) {
    try {
        return std::string(trim(read_file(fs::path("/proc/sys/kernel") / name)));
    } catch (const Error&) {
        return {};
    }
}

/// True if \p name is what \p pattern (core(5)) makes of a process; words that we do not know match anything.
bool matches(std::string_view pattern, std::string_view name, const std::string& pid,
             const std::string& executable) {
    if (pattern.empty()) {
        return name.empty();
    }
    if (pattern.front() != '%' || pattern.size() < 2) {
        return !name.empty() && name.front() == pattern.front() &&
               matches(pattern.substr(1), name.substr(1), pid, executable);
    }
    const char word = pattern[1];
    const auto rest = pattern.substr(2);
    std::optional<std::string> exact;
    if (word == 'p' || word == 'P') {
        // In another pid namespace one of the two is another number.
        exact = word == 'p' ? std::optional(pid) : std::nullopt;
    } else if (word == 'e') {
        exact = executable.substr(0, 15);  // the kernel's TASK_COMM_LEN
    } else if (word == '%') {
        exact = "%";
    }
    if (exact) {
        return name.substr(0, exact->size()) == *exact &&
               matches(rest, name.substr(exact->size()), pid, executable);
    }
    for (std::size_t length = 0; length <= name.size(); ++length) {
        if (matches(rest, name.substr(length), pid, executable)) {
            return true;
        }
    }
    return false;
}

}  // namespace

std::string core_pattern() {
    auto pattern = kernel_setting("core_pattern");
    const auto uses_pid = kernel_setting("core_uses_pid");
    if (uses_pid == "1" && pattern.find("%p") == std::string::npos && pattern.rfind('|', 0) != 0) {
        pattern += ".%p";
    }
    return pattern;
}

std::optional<fs::path> find_core(const fs::path& directory, const std::string& pattern, pid_t pid,
                                  const std::string& executable) {
    if (pattern.empty()) {
        return std::nullopt;
    }
    if (pattern.front() == '|') {
        log::debug("cores go to a program ({}), so none is looked for", pattern.substr(1));
        return std::nullopt;
    }
    const fs::path full = directory / pattern;  // an absolute pattern stays as it is
    std::error_code error;
    for (fs::directory_iterator entry(full.parent_path(), error), past; !error && entry != past;
         entry.increment(error)) {
        if (matches(full.filename().string(), entry->path().filename().string(), std::to_string(pid),
                    executable)) {
            return entry->path();
        }
    }
    return std::nullopt;
}

std::optional<std::string> backtrace(const std::string& program, const fs::path& core,
                                     const Deadline& deadline) {
    try {
        process::Command gdb;
        gdb.argv = {"gdb", "-q", "-nx", "-batch", "-ex", "thread apply all bt", program, core.string()};
        gdb.environment["DEBUGINFOD_URLS"] = "";  // no downloads
        return process::check(gdb, deadline).out;
    } catch (const process::NotFoundError&) {
        log::info("there is no gdb that could look into {}", core.string());
    } catch (const Error& error) {
        log::warning("gdb cannot look into {}: {}", core.string(), error.what());
    }
    return std::nullopt;
}

}  // namespace vt::packet
