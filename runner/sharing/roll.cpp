// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/roll.hpp"

#include "runner/support/deadline.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <set>

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t digits = 12;
constexpr std::size_t most_digits = 18;
constexpr std::uint64_t believable_gap = 1'000'000'000;
constexpr std::size_t longest_text = 4096;
constexpr int tries = 1000;
// The kernel tells that an owner closed its file a moment before the lock goes.
constexpr int closing_gap_ms = 100;
// Nothing tells of an end on another machine's mount, or where inotify has run out of watches.
constexpr int longest_silence_ms = 1000;
constexpr Seconds repeat{600};

bool try_flock(int fd, int operation) {
    int result = 0;
    while ((result = ::flock(fd, operation | LOCK_NB)) != 0 && errno == EINTR) {
    }
    return result == 0;
}

/// Names in \p dir that begin with \p prefix.
std::vector<std::string> names_in(const fs::path& dir, const std::string& prefix) {
    std::vector<std::string> names;
    std::error_code error;
    fs::directory_iterator entries(dir, error);
    // A file that goes while the directory is read is no error; a directory that cannot be read is empty.
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
        if (auto name = entries->path().filename().string(); name.starts_with(prefix)) {
            names.push_back(std::move(name));
        }
    }
    return names;
}

/// Opens a stranger's file without being held up by what it is; none if it is no plain file.
UniqueFd open_plain(const fs::path& path, struct stat& info) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd && (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))) {
        fd.reset();
    }
    return fd;
}

/// Removes \p path if its owner is gone. Who holds the file's lock is the only one to remove it, so that the
/// name cannot have become another's in between.
void remove_if_absent(const fs::path& path) {
    struct stat opened {};
    struct stat there {};
    const auto fd = open_plain(path, opened);
    if (fd && (opened.st_uid == ::geteuid() || ::geteuid() == 0) && try_flock(fd.get(), LOCK_EX) &&
        ::lstat(path.c_str(), &there) == 0 && there.st_ino == opened.st_ino &&
        there.st_dev == opened.st_dev) {
        ::unlink(path.c_str());
    }
}

/// The last of \p numbers, which rise, that is not far beyond the one before it.
std::uint64_t highest_believable(const std::vector<std::uint64_t>& numbers) {
    std::uint64_t highest = 0;
    for (const auto number : numbers) {
        if (number - highest > believable_gap) {
            break;
        }
        highest = number;
    }
    return highest;
}

/// Events of files, one watch a file.
class Watches {
  public:
    Watches() : fd_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
        if (!fd_) {
            log::debug("no inotify ({}): ends are looked for every second", errno_text(errno));
        }
    }

    /// True if one of \p members was not watched yet.
    bool add(const std::vector<RollMember>& members) {
        bool fresh = false;
        for (const auto& member : members) {
            if (fd_ && watched_.insert(member.path).second) {
                // The owner's file is the only one open for writing: readers' closing wakes nobody.
                fresh = ::inotify_add_watch(fd_.get(), member.path.c_str(),
                                            IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF) >= 0 ||
                        fresh;
            }
        }
        return fresh;
    }

    /// Waits for an event; false if none came for \p milliseconds.
    bool wait(int milliseconds) const {
        pollfd ready{fd_.get(), POLLIN, 0};
        if (::poll(&ready, 1, milliseconds) <= 0) {
            return false;
        }
        std::array<char, 4096> ignored{};
        while (::read(fd_.get(), ignored.data(), ignored.size()) > 0) {
        }
        return true;
    }

  private:
    UniqueFd fd_;
    std::set<fs::path> watched_;
};

}  // namespace

RollEntry& RollEntry::operator=(RollEntry&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    std::swap(earlier_, other.earlier_);
    return *this;
}

RollEntry::~RollEntry() {
    struct stat ours {};
    struct stat there {};
    // Root may have taken the file away, and another may have got its name since.
    if (fd_ && ::fstat(fd_.get(), &ours) == 0 && ::lstat(path_.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino && ours.st_dev == there.st_dev) {
        ::unlink(path_.c_str());
    }
    if (fd_) {
        // Whoever protects what outlives us has the file open still (a guardian that takes our processes
        // down): he is gone for those who look at the roll, or never was.
        ::flock(fd_.get(), LOCK_UN);
    }
}

void RollEntry::leave(std::string_view text) {
    write_all(fd_.get(), text);
    // A child that the test forked may have the file open still.
    ::flock(fd_.get(), LOCK_UN);
    fd_.reset();
}

fs::path Roll::path_of(std::uint64_t number) const {
    return dir_ / fmt::format("{}{:0{}}", prefix_, number, digits);
}

std::optional<std::uint64_t> Roll::number_of(const std::string& name) const {
    const auto text = std::string_view(name).substr(prefix_.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool padded = text.size() == digits || (text.size() > digits && !text.starts_with('0'));
    if (!padded || text.size() > most_digits || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

/// All numbers that are taken, lowest first.
std::vector<std::uint64_t> Roll::numbers() const {
    std::vector<std::uint64_t> numbers;
    for (const auto& name : names_in(dir_, prefix_)) {
        if (const auto number = number_of(name)) {
            numbers.push_back(*number);
        }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

std::uint64_t Roll::highest() const {
    return highest_believable(numbers());
}

RollEntry Roll::enter(std::string_view text) const {
    for (int i = 0; i < tries; ++i) {
        std::string temporary = (dir_ / ("." + prefix_ + "XXXXXX")).string();
        UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
        if (!fd) {
            throw SystemError("cannot write in " + dir_.string(), errno);
        }
        if (!try_flock(fd.get(), LOCK_EX)) {
            continue;  // somebody thought that we are gone, and removes it
        }
        try {
            write_all(fd.get(), text.substr(0, longest_text));
        } catch (...) {
            ::unlink(temporary.c_str());
            throw;
        }
        ::fchmod(fd.get(), 0644);
        const auto number = highest() + 1;
        const auto path = path_of(number);
        const bool linked = ::link(temporary.c_str(), path.c_str()) == 0;
        const int errnum = errno;
        ::unlink(temporary.c_str());
        if (linked && highest() == number) {
            return {number, path, std::move(fd), there_before(number, path)};
        }
        if (linked) {
            ::unlink(path.c_str());
        } else if (errnum != EEXIST && errnum != ENOENT) {
            throw SystemError("cannot make " + path.string(), errnum);
        }
    }
    throw Error(fmt::format("no number is to be had in {} after {} tries", dir_.string(), tries));
}

std::vector<RollMember> Roll::members() const {
    std::vector<RollMember> members;
    for (const auto& name : names_in(dir_, prefix_)) {
        const auto number = number_of(name);
        struct stat info {};
        const auto fd = number ? open_plain(dir_ / name, info) : UniqueFd();
        if (!fd || info.st_size > static_cast<off_t>(longest_text)) {
            continue;
        }
        RollMember member{*number, dir_ / name, {}, info.st_uid, !try_flock(fd.get(), LOCK_SH)};
        member.text.resize(longest_text);
        const auto size = ::pread(fd.get(), member.text.data(), member.text.size(), 0);
        member.text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        members.push_back(std::move(member));
    }
    std::sort(members.begin(), members.end(),
              [](const RollMember& a, const RollMember& b) { return a.number < b.number; });
    return members;
}

/// The files of those who were there when \p number, the highest then, was had: lower ones, and those whose
/// numbers are not to be believed. Whoever has come since has seen that file, and follows it.
std::set<fs::path> Roll::there_before(std::uint64_t number, const fs::path& path) const {
    const auto all = members();
    std::vector<std::uint64_t> numbers;
    for (const auto& member : all) {
        numbers.push_back(member.number);
    }
    numbers.insert(std::upper_bound(numbers.begin(), numbers.end(), number), number);
    const auto highest = highest_believable(numbers);
    std::set<fs::path> earlier;
    for (const auto& member : all) {
        if (member.path != path && member.present && (member.number < number || member.number > highest)) {
            earlier.insert(member.path);
        }
    }
    return earlier;
}

std::vector<RollMember> Roll::before(const RollEntry& entry) const {
    auto all = members();
    std::erase_if(all, [&](const RollMember& member) {
        return !member.present || !entry.earlier_.contains(member.path);
    });
    return all;
}

void Roll::forget_absent() const {
    for (const auto& name : names_in(dir_, prefix_)) {
        if (number_of(name)) {
            remove_if_absent(dir_ / name);
        }
    }
    // Of an owner who was killed before it had a number.
    for (const auto& name : names_in(dir_, "." + prefix_)) {
        remove_if_absent(dir_ / name);
    }
}

void Roll::wait(const Blockers& blockers, const Tell& tell) {
    wait(blockers, tell, {repeat, [](const auto&) {}});
}

void Roll::wait(const Blockers& blockers, const Tell& tell, const Patience& patience) {
    auto who = blockers();
    if (who.empty()) {
        return;
    }
    Watches watches;
    std::set<std::uint64_t> told;
    auto again = Deadline::after(repeat);
    auto limit = Deadline::after(patience.limit);
    while (!who.empty()) {
        if (limit.expired()) {
            patience.say(who);
            limit = Deadline::never();
        }
        std::set<std::uint64_t> numbers;
        for (const auto& member : who) {
            numbers.insert(member.number);
        }
        if (!std::includes(told.begin(), told.end(), numbers.begin(), numbers.end()) || again.expired()) {
            tell(who);
            told = numbers;
            again = Deadline::after(repeat);
        }
        // Who went before the watch stood has to be noticed by another look.
        if (!watches.add(who) && watches.wait(longest_silence_ms)) {
            who = blockers();
            if (!who.empty()) {
                watches.wait(closing_gap_ms);
            }
        }
        who = blockers();
    }
}

}  // namespace vt
