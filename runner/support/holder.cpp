// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/holder.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace vt {
namespace {

/// "MAJOR:MINOR:INODE" as /proc/locks writes it (fs/locks.c: two digits of hexadecimal at least).
std::string locks_id(const struct stat& info) {
    return fmt::format("{:02x}:{:02x}:{}", major(info.st_dev), minor(info.st_dev), info.st_ino);
}

std::string text_of(const std::filesystem::path& path) {
    try {
        return read_file(path, std::size_t{4} << 20);
    } catch (const Error&) {
        return {};
    }
}

}  // namespace

std::string user_name(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::string buffer(4096, '\0');
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return entry.pw_name;
    }
    return fmt::format("{}", uid);
}

std::string holder_text(std::string_view text, uid_t uid) {
    std::string clean = to_valid_utf8(trim(text).substr(0, 200));
    std::replace_if(
        clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return uid == ::geteuid() ? clean : fmt::format("{} of user {}", clean, user_name(uid));
}

std::vector<ProcessId> lock_holders(const std::filesystem::path& path) {
    std::vector<ProcessId> holders;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
        return holders;
    }
    // "1: FLOCK  ADVISORY  WRITE 123 00:2b:456 0 EOF"; a line with "->" is one who waits.
    for (const auto& line : split(text_of("/proc/locks"), '\n')) {
        const auto words = split_words(line);
        pid_t pid = 0;
        if (words.size() < 6 || words[1] != "FLOCK" || words[5] != locks_id(info) ||
            std::from_chars(words[4].data(), words[4].data() + words[4].size(), pid).ec != std::errc()) {
            continue;
        }
        // Of another pid namespace, or hidden, otherwise.
        if (const auto process = ProcessId::of(pid); process.start_time != 0) {
            holders.push_back(process);
        }
    }
    return holders;
}

std::string process_text(pid_t pid) {
    struct stat process {};
    if (::stat(fmt::format("/proc/{}", pid).c_str(), &process) != 0) {
        return fmt::format("process {}", pid);
    }
    return holder_text(fmt::format("process {} ({})", pid, trim(text_of(fmt::format("/proc/{}/comm", pid)))),
                       process.st_uid);
}

uid_t user_of(pid_t pid) {
    struct stat process {};
    return ::stat(fmt::format("/proc/{}", pid).c_str(), &process) == 0 ? process.st_uid : ::geteuid();
}

}  // namespace vt
