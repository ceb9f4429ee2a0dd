// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// What a test changes of its host, so that it can be taken back: by its setup, or, where the test was
/// killed, by whoever reads its journal.
///
/// Each change is written into the resource journal before it is made, and undone by the very code that the
/// reaper uses, so that both ways end alike. Undoing goes from the last to the first and does not stop at
/// what resists.
#pragma once

#include "runner/support/journal.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt {

/// The changes of one setup, in their order. Undone on destruction, what resists being logged.
class HostChanges {
  public:
    /// \param root where /sys and /proc are found; "/" but in unit tests
    HostChanges(const std::filesystem::path& journal, std::filesystem::path root);
    ~HostChanges();
    HostChanges(const HostChanges&) = delete;
    HostChanges& operator=(const HostChanges&) = delete;

    /// \p file ("/sys/…") below the root.
    std::filesystem::path at(const std::filesystem::path& file) const;
    /// The value of a kernel's file. Throws Error.
    std::string read(const std::filesystem::path& file) const;
    /// What \p file says now comes back later, whoever changes it. Throws Error.
    void guard(const std::filesystem::path& file);
    /// guard(), and \p value is written, which is logged. Throws Error with the kernel's words.
    void set(const std::filesystem::path& file, std::string_view value);
    /// Mounts on \p target, which is made if it is not there (and removed later). Throws SystemError.
    void mount(const std::string& source, const std::filesystem::path& target, const std::string& type,
               const std::string& options);
    /// \p argv will be run to take back what the caller is about to do.
    void undo_by(const std::vector<std::string>& argv);
    /// \p path is about to be made, and goes later.
    void makes(Resource::Kind kind, const std::string& name);

    /// Takes all back. Throws the first Error when everything has been tried.
    void undo();
    /// Leaves all as it is, for good.
    void leave();
    bool empty() const { return changes_.empty(); }

  private:
    struct Change {
        Resource resource;
        JournalEntry entry;
    };
    void add(Resource resource);

    std::shared_ptr<Journal> journal_;
    std::filesystem::path root_;
    std::vector<Change> changes_;
};

}  // namespace vt
