// SPDX-License-Identifier: GPL-2.0-or-later
#include "providers/git_leftovers.hpp"

#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <string>
#include <utility>
#include <vector>

namespace vt::providers {

namespace fs = std::filesystem;

namespace {

fs::path mark_of(const fs::path& checkout) {
    return checkout / ".git" / "avocado-runner-vt.busy";
}

bool is_lock(const fs::path& path) {
    return path.extension() == ".lock";
}

/// Of all packs git keeps only pack-ID.pack and what belongs to it; libgit2 writes to pack_….
bool is_half_pack(const fs::path& path) {
    std::string name = path.filename().string();
    return name.starts_with("pack_") || name.starts_with("tmp_");
}

template <typename Is>
void collect(const fs::path& dir, bool recursive, const Is& is, std::vector<fs::path>& found) {
    std::error_code error;
    for (fs::directory_iterator entry(dir, error), end; !error && entry != end; entry.increment(error)) {
        std::error_code ignored;
        if (entry->is_symlink(ignored)) {
            continue;
        }
        if (entry->is_directory(ignored)) {
            if (recursive) {
                collect(entry->path(), true, is, found);
            }
        } else if (is(entry->path())) {
            found.push_back(entry->path());
        }
    }
}

void clean(const fs::path& checkout) {
    std::error_code error;
    auto begun = fs::last_write_time(mark_of(checkout), error);
    if (error) {
        return;
    }
    fs::path git = checkout / ".git";
    std::vector<fs::path> found;
    collect(git, false, is_lock, found);
    collect(git / "refs", true, is_lock, found);
    collect(git / "objects" / "pack", false, is_half_pack, found);
    for (const fs::path& path : found) {
        auto time = fs::last_write_time(path, error);
        if (!error && time >= begun) {
            log::info("Removing what an interrupted run left: {}", path.string());
            fs::remove(path, error);
        }
    }
    fs::remove(mark_of(checkout), error);
}

}  // namespace

bool was_interrupted(const fs::path& checkout) {
    std::error_code error;
    return fs::exists(mark_of(checkout), error);
}

GitLeftovers::GitLeftovers(fs::path checkout) : checkout_(std::move(checkout)) {
    clean(checkout_);
    write_file_atomically(mark_of(checkout_), "");
}

GitLeftovers::~GitLeftovers() {
    if (!done_) {
        clean(checkout_);
    }
}

void GitLeftovers::done() {
    std::error_code error;
    fs::remove(mark_of(checkout_), error);
    done_ = true;
}

}  // namespace vt::providers
