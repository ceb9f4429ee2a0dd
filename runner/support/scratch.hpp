// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Files and directories that are only needed for a moment, journalled, so that a killed process's go with
/// the next command.
///
/// TempDirectory (file.hpp) is for tests and for what lies in a directory that somebody answers for anyway.
#pragma once

#include "runner/support/journal.hpp"

#include <filesystem>
#include <string>

namespace vt {

/// A new private directory, removed with its content on destruction.
class ScratchDirectory {
  public:
    /// Makes PARENT/PREFIXxxxxxxxx; \p parent is the system's temporary directory if empty. \p journals is
    /// RuntimeDirs::journal(). Throws SystemError.
    ScratchDirectory(const std::filesystem::path& journals, const std::string& prefix,
                     std::filesystem::path parent = {});
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;
    ~ScratchDirectory();

    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
    JournalEntry entry_;
};

/// A new private directory at a path that its owner has chosen, removed with its content on destruction: also
/// if the owner's next step throws.
class JournalledDirectory {
  public:
    /// None.
    JournalledDirectory() = default;
    /// Makes \p path and its missing parents. Throws SystemError; then there is neither a directory nor a
    /// line that tells of one.
    JournalledDirectory(const std::filesystem::path& journals, std::filesystem::path path);
    JournalledDirectory(JournalledDirectory&& other) noexcept;
    JournalledDirectory& operator=(JournalledDirectory&& other) noexcept;
    ~JournalledDirectory();

    /// Empty for none.
    const std::filesystem::path& path() const { return path_; }
    /// The directory stays, and somebody else answers for it (the guardian, with the job's directory).
    void hand_over();

  private:
    std::filesystem::path path_;
    JournalEntry entry_;
};

/// The name under which a file is written before it takes its place: removed on destruction, unless it has
/// been moved there.
class ScratchFile {
  public:
    /// \p path is journalled; the caller makes the file.
    ScratchFile(const std::filesystem::path& journals, std::filesystem::path path);
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;
    ~ScratchFile();

    const std::filesystem::path& path() const { return path_; }
    /// Renames it to \p target, replacing that. Throws SystemError.
    void move_to(const std::filesystem::path& target);

  private:
    std::filesystem::path path_;
    JournalEntry entry_;
};

}  // namespace vt
