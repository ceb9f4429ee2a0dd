// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/host_memory.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

namespace vt {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t longest_file = std::size_t{1} << 20;

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    text = trim(text);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string text_of(const fs::path& path) {
    try {
        return read_file(path, longest_file);
    } catch (const Error&) {  // not every kernel has every file
        return {};
    }
}

/// The number behind \p key in lines of "KEY NUMBER" or "KEY: NUMBER kB".
std::optional<std::uint64_t> entry(const std::string& text, std::string_view key) {
    for (const auto& line : split(text, '\n')) {
        const auto words = split_words(line);
        if (words.size() >= 2 && words[0] == key) {
            return number(words[1]);
        }
    }
    return std::nullopt;
}

/// The files of one version of control groups.
struct GroupFiles {
    std::string_view limit, usage, cache;
};
constexpr GroupFiles version_1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles version_2{"memory.max", "memory.current", "inactive_file"};

/// MiB left below the limit of the group in \p dir; nothing if it has none ("max", or version 1's huge
/// number).
std::optional<std::uint64_t> left_in(const fs::path& dir, const GroupFiles& files) {
    constexpr std::uint64_t no_limit = std::uint64_t{1} << 60;
    const auto limit = number(text_of(dir / files.limit));
    const auto usage = number(text_of(dir / files.usage));
    if (!limit || !usage || *limit >= no_limit) {
        return std::nullopt;
    }
    const auto cache = std::min(entry(text_of(dir / "memory.stat"), files.cache).value_or(0), *usage);
    const auto used = *usage - cache;
    return used >= *limit ? 0 : (*limit - used) >> 20;
}

/// Adds the tightest of \p group and its parents below \p mount.
void add_groups(MemoryPools& pools, const fs::path& mount, const fs::path& group, const GroupFiles& files) {
    std::optional<std::pair<std::uint64_t, std::string>> tightest;
    for (fs::path dir = group.relative_path();; dir = dir.parent_path()) {
        if (const auto left = left_in(mount / dir, files); left && (!tightest || *left < tightest->first)) {
            tightest = {*left, "/" + dir.string()};
        }
        if (dir.empty()) {
            break;
        }
    }
    if (tightest) {
        pools["control group " + tightest->second] = tightest->first;
    }
}

}  // namespace

MemoryPools available_memory(const fs::path& root) {
    MemoryPools pools;
    const char* given = std::getenv("AVOCADO_VT_MEMORY");
    if (const auto wanted = given != nullptr ? number(given) : std::nullopt) {
        pools["host"] = *wanted;
    } else if (const auto kib = entry(text_of(root / "proc/meminfo"), "MemAvailable:")) {
        pools["host"] = *kib >> 10;
    }
    // Lines are ID:CONTROLLERS:PATH; version 2 has no controllers (cgroups(7)).
    for (const auto& line : split(text_of(root / "proc/self/cgroup"), '\n')) {
        const auto parts = split(line, ':');
        if (parts.size() < 3) {
            continue;
        }
        const fs::path group = line.substr(parts[0].size() + parts[1].size() + 2);
        if (parts[1].empty()) {
            add_groups(pools, root / "sys/fs/cgroup", group, version_2);
        } else if (parts[1] == "memory") {
            add_groups(pools, root / "sys/fs/cgroup/memory", group, version_1);
        }
    }
    return pools;
}

}  // namespace vt
