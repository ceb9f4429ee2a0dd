// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/scratch.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/strings.hpp"

#include <cerrno>
#include <cstdio>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
ScratchDirectory::ScratchDirectory(const fs::path& journals, const std::string& prefix, fs::path parent) {
    parent = fs::absolute(parent.empty() ? fs::temp_directory_path() : parent);
    const auto journal = Journal::open(journals);
    for (;;) {
        path_ = parent / (prefix + random_name());
        // Journalled before it exists; one that exists is somebody else's, and so not ours to journal.
        if (::access(path_.c_str(), F_OK) == 0) {
            continue;
        }
        entry_ = journal->add({Resource::Kind::directory, path_.string(), {}, false});
        if (::mkdir(path_.c_str(), 0700) == 0) {
            return;
        }
        const int errnum = errno;
        entry_ = {};
        if (errnum != EEXIST) {
            throw SystemError("cannot make a directory in " + parent.string(), errnum);
        }
    }
}

ScratchDirectory::~ScratchDirectory() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) {
        entry_.abandon();
    }
}

JournalledDirectory::JournalledDirectory(const fs::path& journals, fs::path path)
    : path_(fs::absolute(path)),
      entry_(Journal::open(journals)->add({Resource::Kind::directory, path_.string(), {}, false})) {
    make_private_directory(path_);
}

JournalledDirectory::JournalledDirectory(JournalledDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), entry_(std::move(other.entry_)) {}

JournalledDirectory& JournalledDirectory::operator=(JournalledDirectory&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(entry_, other.entry_);
    return *this;
}

JournalledDirectory::~JournalledDirectory() {
    if (path_.empty()) {
        return;
    }
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) {
        entry_.abandon();
    }
}

void JournalledDirectory::hand_over() {
    path_.clear();
    entry_ = {};
}

ScratchFile::ScratchFile(const fs::path& journals, fs::path path)
    : path_(fs::absolute(path)),
      entry_(Journal::open(journals)->add({Resource::Kind::file, path_.string(), {}, false})) {}

ScratchFile::~ScratchFile() {
    if (!path_.empty() && ::unlink(path_.c_str()) != 0 && errno != ENOENT) {
        entry_.abandon();
    }
}

void ScratchFile::move_to(const fs::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) {
        throw SystemError("rename " + path_.string(), errno);
    }
    path_.clear();
    entry_ = {};
}

}  // namespace vt
