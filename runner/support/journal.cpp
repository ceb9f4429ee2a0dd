// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/support/journal.hpp"

#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/journal_takedown.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"
#include "runner/support/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <map>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::array kind_names{"process", "file", "directory", "tap", "bridge", "mount"};

/// State and start time of a process from its /proc/PID/stat; state 0 if there is none.
struct ProcStat {
    char state = 0;
    std::uint64_t start_time = 0;
};

ProcStat read_stat(pid_t pid) {
    std::string text;
    try {
        text = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    } catch (const Error&) {
        return {};
    }
    // The name in parentheses may hold anything, so fields are counted from the last parenthesis.
    const auto end = text.rfind(')');
    if (end == std::string::npos) {
        return {};
    }
    const auto fields = split_words(std::string_view(text).substr(end + 1));
    ProcStat stat;
    if (fields.size() > 19) {
        stat.state = fields[0][0];
        const auto& start = fields[19];
        std::from_chars(start.data(), start.data() + start.size(), stat.start_time);
    }
    return stat;
}

/// One journal file, read back: what is still open in it, in the order written.
std::map<std::uint64_t, Resource> read_journal(const fs::path& path) {
    std::map<std::uint64_t, Resource> open;
    std::string text;
    try {
        text = read_file(path);
    } catch (const Error& error) {
        log::warning("cannot read a journal: {}", error.what());
        return open;
    }
    for (const auto& line : split(text, '\n')) {
        const auto entry = json::parse(line, nullptr, false);
        if (!entry.is_object() || !entry.contains("id") || !entry["id"].is_number_unsigned()) {
            continue;  // the torn last line, or not ours
        }
        const auto id = entry["id"].get<std::uint64_t>();
        if (entry.value("gone", false)) {
            open.erase(id);
            continue;
        }
        if (entry.value("kept", false)) {
            if (const auto found = open.find(id); found != open.end()) {
                found->second.kept = true;
            }
            continue;
        }
        const auto kind = std::find(kind_names.begin(), kind_names.end(), entry.value("kind", ""));
        if (kind != kind_names.end()) {
            Resource resource;
            resource.kind = static_cast<Resource::Kind>(kind - kind_names.begin());
            resource.name = entry.value("name", "");
            resource.process = {entry.value("pid", 0), entry.value("start", std::uint64_t{0})};
            open[id] = resource;
        }
    }
    return open;
}

/// The owner that a journal's file name tells; a pid of 0 if it is no journal.
ProcessId owner_of(const fs::path& path) {
    const auto parts = split(path.stem().string(), '-');
    ProcessId owner;
    if (path.extension() == ".jsonl" && parts.size() == 2) {
        std::from_chars(parts[0].data(), parts[0].data() + parts[0].size(), owner.pid);
        std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), owner.start_time);
    }
    return owner;
}

/// Journals in \p dir whose owners are dead, oldest first.
std::vector<fs::path> dead_journals(const fs::path& dir) {
    std::vector<std::pair<fs::file_time_type, fs::path>> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(dir, ignored)) {
        const auto owner = owner_of(entry.path());
        if (owner.pid != 0 && !owner.alive()) {
            found.emplace_back(entry.last_write_time(ignored), entry.path());
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<fs::path> paths;
    paths.reserve(found.size());
    for (auto& [time, path] : found) {
        paths.push_back(std::move(path));
    }
    return paths;
}

}  // namespace

ProcessId ProcessId::of(pid_t pid) {
    return {pid, read_stat(pid).start_time};
}

bool ProcessId::alive() const {
    const auto stat = read_stat(pid);
    return stat.state != 0 && stat.state != 'Z' && stat.state != 'X' && stat.start_time == start_time;
}

struct Journal::Impl {
    std::mutex mutex;
    fs::path path;
    UniqueFd fd;
    std::uint64_t next_id = 1;
    std::set<std::uint64_t> open;

    void append(const json& line) {
        if (!fd) {
            make_private_directory(path.parent_path());
            fd.reset(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
            if (!fd) {
                throw SystemError("cannot write the journal " + path.string(), errno);
            }
        }
        write_all(fd.get(), line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
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
    if (!journal_) {
        return;
    }
    auto& impl = *journal_->impl_;
    const std::lock_guard lock(impl.mutex);
    try {
        impl.append({{"id", id_}, {"gone", true}});
        impl.open.erase(id_);
    } catch (const std::exception& error) {
        log::warning("{}", error.what());
    }
}

void JournalEntry::keep() {
    if (journal_) {
        auto& impl = *journal_->impl_;
        const std::lock_guard lock(impl.mutex);
        impl.append({{"id", id_}, {"kept", true}});
    }
    abandon();
}

void JournalEntry::abandon() {
    journal_.reset();
}

Journal::Journal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

std::shared_ptr<Journal> Journal::open(const fs::path& dir) {
    auto impl = std::make_unique<Impl>();
    const auto self = ProcessId::of(::getpid());
    impl->path = dir / fmt::format("{}-{}.jsonl", self.pid, self.start_time);
    return std::shared_ptr<Journal>(new Journal(std::move(impl)));
}

Journal::~Journal() {
    if (impl_->fd && impl_->open.empty()) {
        ::unlink(impl_->path.c_str());
    }
}

JournalEntry Journal::add(const Resource& resource) {
    const std::lock_guard lock(impl_->mutex);
    const auto id = impl_->next_id++;
    json line{{"id", id},
              {"kind", kind_names.at(static_cast<std::size_t>(resource.kind))},
              {"name", resource.name}};
    if (resource.kind == Resource::Kind::process) {
        line["pid"] = resource.process.pid;
        line["start"] = resource.process.start_time;
    }
    impl_->append(line);
    impl_->open.insert(id);
    return {shared_from_this(), id};
}

std::vector<Resource> Journal::leftovers(const fs::path& dir) {
    std::vector<Resource> found;
    for (const auto& path : dead_journals(dir)) {
        const auto open = read_journal(path);
        for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
            found.push_back(entry->second);
        }
    }
    return found;
}

std::size_t Journal::reap(const fs::path& dir, bool all) {
    const auto journals = dead_journals(dir);
    if (journals.empty()) {
        return 0;
    }
    const auto lock = FileLock::try_take(dir / "reap.lock", FileLock::Mode::exclusive, "a reaper");
    if (!lock) {
        return 0;  // somebody is at it
    }
    std::size_t count = 0;
    for (const auto& path : journals) {
        bool open_left = false;
        const auto open = read_journal(path);
        for (auto entry = open.rbegin(); entry != open.rend(); ++entry) {
            const auto& resource = entry->second;
            if (resource.kept && !all) {
                open_left = true;
                continue;
            }
            try {
                if (take_down(resource)) {
                    log::info("took down the {} {}, left by process {}",
                              kind_names.at(static_cast<std::size_t>(resource.kind)), resource.name,
                              owner_of(path).pid);
                    ++count;
                }
            } catch (const std::exception& error) {
                log::warning("cannot take down {}: {}", resource.name, error.what());
                open_left = true;
            }
        }
        if (!open_left) {
            std::error_code ignored;
            fs::remove(path, ignored);
        }
    }
    return count;
}

}  // namespace vt
