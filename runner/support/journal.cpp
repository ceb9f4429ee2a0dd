// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal.hpp"

#include "runner/support/error.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/journal_file.hpp"
#include "runner/support/journal_takedown.hpp"
#include "runner/support/log.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

/// Numbers go on where a journal is closed and opened again: entries that were given up keep theirs.
std::atomic<std::uint64_t> next_id = 1;

/// Journals in \p dir whose owners are dead, oldest first.
std::vector<JournalFile> dead_journals(const fs::path& dir) {
    std::vector<std::pair<fs::file_time_type, JournalFile>> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
        const auto time = entry.last_write_time(ignored);
        if (auto file = JournalFile::read(entry.path()); file && !file->owner_lives()) {
            found.emplace_back(time, std::move(*file));
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<JournalFile> files;
    files.reserve(found.size());
    for (auto& [time, file] : found) {
        files.push_back(std::move(file));
    }
    return files;
}

/// What is to be done with \p resource, as far as that can be told before it is done.
Reaped::Fate fate_of(const Resource& resource, const JournalFile& file, bool all) {
    using Fate = Reaped::Fate;
    const bool same_boot = file.world && file.world->boot == World::ours().boot;
    const bool foreign = same_boot && !file.of_our_world();
    if (resource.kind == Resource::Kind::process) {
        if (foreign || (!same_boot && file.world) || !resource.process.alive()) {
            return Fate::was_gone;  // a container's processes go with its first
        }
    }
    const bool kernels = resource.kind == Resource::Kind::setting || resource.kind == Resource::Kind::command;
    if (kernels && !same_boot && file.world) {
        return Fate::was_gone;  // the kernel has started anew, with values of its own
    }
    if (resource.holder.pid != 0 && !foreign && (same_boot || !file.world) && resource.holder.alive()) {
        return Fate::in_use;
    }
    if (resource.holder.pid != 0 && foreign && !all) {
        return Fate::foreign;
    }
    const bool path = resource.kind == Resource::Kind::file || resource.kind == Resource::Kind::directory;
    if (std::error_code error; resource.kept && path && !fs::exists(resource.name, error) && !error) {
        return Fate::was_gone;  // a later job, which took it over, has removed it
    }
    return resource.kept && !all ? Fate::kept : Fate::taken_down;
}

Reaped reap_one(const Resource& resource, const JournalFile& file, bool all) {
    using Fate = Reaped::Fate;
    Reaped reaped{resource, file.owner, fate_of(resource, file, all), {}};
    // Whoever still needs what has a path, and whether it was to stay, means nothing once it is not there.
    const bool has_path = resource.kind == Resource::Kind::file || resource.kind == Resource::Kind::directory;
    if (std::error_code error; has_path && reaped.fate == Fate::in_use &&
                               fs::symlink_status(resource.name, error).type() == fs::file_type::not_found) {
        reaped.fate = Fate::was_gone;
    }
    if (reaped.fate != Fate::taken_down) {
        return reaped;
    }
    try {
        if (take_down(resource)) {
            log::info("took down the {}, left by process {}", resource.text(), file.owner.pid);
        } else {
            reaped.fate = Fate::was_gone;
        }
    } catch (const std::exception& error) {
        log::warning("cannot take down the {}: {}", resource.text(), error.what());
        reaped.fate = Fate::resisted;
        reaped.problem = error.what();
    }
    return reaped;
}

}  // namespace

struct Journal::Impl {
    std::mutex mutex;
    fs::path path;
    UniqueFd fd;
    pid_t owner = ::getpid();
    bool torn = false;  ///< the last line is not whole
    std::set<std::uint64_t> open;

    void make_file() {
        make_private_directory(path.parent_path());
        fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        if (!fd) {
            throw SystemError("cannot write the journal " + path.string(), errno);
        }
        ::flock(fd.get(), LOCK_EX | LOCK_NB);
        if (::lseek(fd.get(), 0, SEEK_END) == 0) {
            append(first_line(World::ours()));
        }
    }

    void append(const std::string& line) {
        if (!fd) {
            make_file();
        }
        if (const int injected = fault::at(fault::Point::journal, line); injected != 0) {
            throw SystemError("cannot write the journal " + path.string(), injected);
        }
        try {
            // A full disk may have taken half of a line, which must not spoil the next one.
            write_all(fd.get(), (torn ? "\n" : "") + line + "\n");
            torn = false;
        } catch (const SystemError& error) {
            torn = true;
            throw SystemError("cannot write the journal " + path.string(), error.errnum());
        }
    }
};

JournalEntry::JournalEntry(std::shared_ptr<Journal> journal, std::uint64_t id)
    : journal_(std::move(journal)), id_(id) {}

JournalEntry::JournalEntry(JournalEntry&& other) noexcept
    : journal_(std::move(other.journal_)), id_(std::exchange(other.id_, 0)) {}

JournalEntry& JournalEntry::operator=(JournalEntry&& other) noexcept {
    std::swap(journal_, other.journal_);
    std::swap(id_, other.id_);
    return *this;
}

JournalEntry::~JournalEntry() {
    if (!journal_ || journal_->impl_->owner != ::getpid()) {
        return;
    }
    auto& impl = *journal_->impl_;
    const std::lock_guard lock(impl.mutex);
    try {
        impl.append(gone_line(id_));
        impl.open.erase(id_);
    } catch (const std::exception& error) {
        log::warning("{}", error.what());
    }
}

void JournalEntry::keep() {
    if (journal_ && journal_->impl_->owner == ::getpid()) {
        auto& impl = *journal_->impl_;
        const std::lock_guard lock(impl.mutex);
        impl.append(kept_line(id_));
    }
    abandon();
}

void JournalEntry::abandon() {
    journal_.reset();
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::shared_ptr<Journal> Journal::open(const fs::path& dir) {
    // One file a process, so one object: two would number their entries alike and remove each other's file.
    static std::mutex mutex;
    static std::map<std::pair<pid_t, fs::path>, std::weak_ptr<Journal>> known;
    const std::lock_guard lock(mutex);
    auto& place = known[{::getpid(), dir}];
    if (auto journal = place.lock()) {
        return journal;
    }
    auto impl = std::make_unique<Impl>();
    const auto self = ProcessId::of(::getpid());
    impl->path = dir / fmt::format("{}-{}.jsonl", self.pid, self.start_time);
    std::shared_ptr<Journal> journal(new Journal(std::move(impl)));
    place = journal;
    return journal;
}

Journal::~Journal() {
    if (impl_->fd && impl_->open.empty() && impl_->owner == ::getpid()) {
        ::unlink(impl_->path.c_str());
    }
}

JournalEntry Journal::add(const Resource& resource) {
    const std::lock_guard lock(impl_->mutex);
    const auto id = next_id++;
    impl_->append(line_of(id, resource));
    impl_->open.insert(id);
    return {shared_from_this(), id};
}

std::vector<Reaped> Journal::reap(const fs::path& dir, bool all, const Deadline& patience) {
    std::vector<Reaped> reaped;
    if (dead_journals(dir).empty()) {
        return reaped;
    }
    std::optional<FileLock> lock;
    try {
        lock = FileLock::take(dir / "reap.lock", FileLock::Mode::exclusive,
                              fmt::format("a reaper (pid {})", ::getpid()), patience);
    } catch (const TimeoutError&) {
        return reaped;  // somebody is at it
    }
    for (const auto& file : dead_journals(dir)) {
        bool open_left = false;
        for (auto entry = file.open.rbegin(); entry != file.open.rend(); ++entry) {
            reaped.push_back(reap_one(entry->second, file, all));
            const auto fate = reaped.back().fate;
            open_left = open_left || (fate != Reaped::Fate::taken_down && fate != Reaped::Fate::was_gone);
        }
        if (!open_left) {
            std::error_code ignored;
            fs::remove(file.path, ignored);
        }
    }
    return reaped;
}

}  // namespace vt
