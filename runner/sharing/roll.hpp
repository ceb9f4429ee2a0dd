// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A roll: who came in which order, and who of them is still there.
///
/// A directory with one numbered file per member, PREFIX000000000001 and so on, which its owner holds with
/// flock(2) as long as it is there; the kernel lets go whatever the owner's end. The directory may be shared
/// by users who do not trust one another (a sticky one, as /tmp): each file belongs to its own user, nobody
/// writes into another's, and no link is followed. A number is had by link(2), which only one can win, and is
/// given back if a higher one is there by then: so whoever has a number has been seen by every higher one,
/// and who waits only for lower numbers never waits in a circle.
///
/// A name is a stranger's word, too. A number far beyond all others (someone would have had to be there
/// without a gap for a thousand million entries) is not believed: the next one does not follow it, so nobody
/// can use up the numbers, and whoever enters takes its owner for one who was there before. Whom an entry
/// follows is settled once, when it gets its number, so that no file that comes or goes later changes it.
///
/// What is ugly: a file of a dead owner is told from a live one's by trying its lock, so a hostile user can
/// make the dead look alive by locking their files, as he could take any other thing that all share.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/support/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace vt {

/// One file of a roll, as others see it.
struct RollMember {
    std::uint64_t number = 0;
    std::filesystem::path path;
    std::string text;      ///< what it says of itself; whoever owns it may have written anything
    uid_t uid = 0;         ///< the file's owner
    bool present = false;  ///< its owner still holds it
};

/// The calling process's own place on a roll. On destruction the file goes, and whoever waits for it wakes.
class RollEntry {
  public:
    RollEntry(RollEntry&& other) noexcept
        : number_(other.number_),
          path_(std::move(other.path_)),
          fd_(std::move(other.fd_)),
          earlier_(std::move(other.earlier_)) {}
    RollEntry& operator=(RollEntry&& other) noexcept;
    ~RollEntry();

    std::uint64_t number() const { return number_; }
    /// The file, whose lock lasts as long as anybody has it open.
    int descriptor() const { return fd_.get(); }
    /// Goes, but leaves the file, with \p text appended, for those who come later. Throws SystemError.
    void leave(std::string_view text);

  private:
    friend class Roll;
    RollEntry(std::uint64_t number, std::filesystem::path path, UniqueFd fd,
              std::set<std::filesystem::path> earlier)
        : number_(number), path_(std::move(path)), fd_(std::move(fd)), earlier_(std::move(earlier)) {}

    std::uint64_t number_;
    std::filesystem::path path_;
    UniqueFd fd_;
    std::set<std::filesystem::path> earlier_;  ///< those who were there
};

/// A roll in a directory.
class Roll {
  public:
    /// \param dir exists \param prefix of its files' names
    Roll(std::filesystem::path dir, std::string prefix) : dir_(std::move(dir)), prefix_(std::move(prefix)) {}

    /// Takes the next number; \p text (at most 4 KiB) is never changed, so that nobody reads half of it.
    /// Throws SystemError if nothing can be written there.
    RollEntry enter(std::string_view text) const;
    /// Everybody on the roll, present or not, by number. What is no plain file, or too long, is passed over.
    std::vector<RollMember> members() const;
    /// Those who were there before \p entry and still are, by number.
    std::vector<RollMember> before(const RollEntry& entry) const;
    /// Removes the files of those who are not there any more, as far as they are ours to remove.
    void forget_absent() const;

    /// Whom somebody has to wait for, as of now.
    using Blockers = std::function<std::vector<RollMember>()>;
    /// Waits until \p blockers gives nobody: asked at first, and whenever one of those it gave has gone.
    /// \p tell is called before the wait, when others are waited for, and every ten minutes.
    using Tell = std::function<void(const std::vector<RollMember>&)>;
    static void wait(const Blockers& blockers, const Tell& tell);

    /// What is said once to one who has waited for a while.
    struct Patience {
        Seconds limit;
        Tell say;
    };
    static void wait(const Blockers& blockers, const Tell& tell, const Patience& patience);

  private:
    std::vector<std::uint64_t> numbers() const;
    std::uint64_t highest() const;
    std::set<std::filesystem::path> there_before(std::uint64_t number,
                                                 const std::filesystem::path& path) const;
    std::filesystem::path path_of(std::uint64_t number) const;
    std::optional<std::uint64_t> number_of(const std::string& name) const;

    std::filesystem::path dir_;
    std::string prefix_;
};

}  // namespace vt
