// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The format of a journal file: a line of JSON for where its owner lives, then one for each thing, each end
/// of a thing, and each decision to keep one.
#pragma once

#include "runner/support/journal.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace vt {

/// Where process numbers mean something: one boot of one pid namespace.
struct World {
    std::string boot;        ///< /proc/sys/kernel/random/boot_id
    std::uint64_t pids = 0;  ///< inode of the pid namespace
    bool operator==(const World&) const = default;

    /// The calling process's.
    static World ours();
};

/// One journal file, read back.
struct JournalFile {
    std::filesystem::path path;
    ProcessId owner;
    std::optional<World> world;              ///< nothing if the first line is not there yet, or torn
    std::map<std::uint64_t, Resource> open;  ///< by number, in the order written

    /// Reads the journal \p path; nothing if its name is not a journal's, or it cannot be read (any more).
    static std::optional<JournalFile> read(const std::filesystem::path& path);
    bool owner_lives() const;
    /// Whether numbers of processes in it are ours.
    bool of_our_world() const;
};

/// The lines, without their newline.
std::string first_line(const World& world);
std::string line_of(std::uint64_t id, const Resource& resource);
std::string gone_line(std::uint64_t id);
std::string kept_line(std::uint64_t id);

}  // namespace vt
