// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/take_away.hpp"

#include "runner/sharing/host_claim.hpp"
#include "runner/support/error.hpp"
#include "runner/support/holder.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fmt/core.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view image_lock_prefix = "avocado-vt-image-";

/// Who holds \p path, in words; empty if nobody of \p uid does.
std::string holders_of_user(const fs::path& path, uid_t uid) {
    std::vector<std::string> names;
    for (const auto& process : lock_holders(path)) {
        if (user_of(process.pid) == uid) {
            names.push_back(process_text(process.pid));
        }
    }
    return join(names, ", ");
}

/// What is to be said of \p path if it goes; empty if it stays.
std::string reason_to_remove(const fs::path& path, uid_t uid) {
    const auto name = path.filename().native();
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return {};
    }
    const auto holders = holders_of_user(path, uid);
    const auto held_by = holders.empty() ? std::string() : ", held by " + holders;
    if (name.starts_with(claim_prefix) && info.st_uid == uid) {
        return fmt::format("the claim {}{}", path.native(), held_by);
    }
    if (name.starts_with(image_lock_prefix) && !holders.empty()) {
        return fmt::format("the image lock {}{}", path.native(), held_by);
    }
    return {};
}

}  // namespace

uid_t user_named(const std::string& user) {
    passwd entry{};
    passwd* found = nullptr;
    std::string buffer(4096, '\0');
    if (::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return entry.pw_uid;
    }
    uid_t uid = 0;
    const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
    if (user.empty() || error != std::errc() || end != user.data() + user.size()) {
        throw Error(fmt::format("there is no user {}; give a name or a number", user));
    }
    return uid;
}

std::vector<std::string> take_away_claims(const fs::path& host_dir, uid_t uid) {
    if (::geteuid() != 0 && ::geteuid() != uid) {
        throw Error(
            fmt::format("the claims of user {} are for root or that user to take away, not for user {}",
                        user_name(uid), user_name(::geteuid())));
    }
    std::vector<std::string> taken;
    for (const auto& entry : fs::directory_iterator(host_dir)) {
        const auto& path = entry.path();
        auto reason = reason_to_remove(path, uid);
        if (reason.empty()) {
            continue;
        }
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            throw SystemError("cannot remove " + path.native(), errno);
        }
        taken.push_back(std::move(reason));
    }
    std::sort(taken.begin(), taken.end());
    return taken;
}

}  // namespace vt
