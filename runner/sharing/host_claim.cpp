// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/host_claim.hpp"

#include "runner/support/holder.hpp"
#include "runner/support/log.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <optional>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace vt {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

/// One claim, as its file has it. All of it may be a stranger's invention.
struct Claim {
    std::uint64_t memory = 0;
    bool exclusive = false;
    std::string holder;
    MemoryPools pools;  ///< MiB for all, by pool
    RollMember member;
};

bool wants_memory(const Claim& claim) {
    return claim.memory > 0;
}

std::string text_of(const HostWish& wish, const MemoryPools& pools) {
    return json{{"memory", wish.memory},
                {"exclusive", wish.exclusive},
                {"holder", wish.holder},
                {"pools", pools}}
               .dump(-1, ' ', false, json::error_handler_t::replace) +
           "\n";
}

std::optional<Claim> read_claim(const RollMember& member) {
    const auto text = json::parse(member.text, nullptr, false);
    try {
        Claim claim{text.at("memory").get<std::uint64_t>(), text.at("exclusive").get<bool>(),
                    text.at("holder").get<std::string>(), text.at("pools").get<MemoryPools>(), member};
        // More than any host has; it keeps sums from wrapping around.
        claim.memory = std::min(claim.memory, std::uint64_t{1} << 40);
        return claim;
    } catch (const json::exception&) {
        log::debug("{} is no claim and counts for nothing", member.path.native());
        return std::nullopt;
    }
}

/// The wait of one test for its turn.
class Turn {
  public:
    Turn(const fs::path& dir, const HostWish& wish, const std::function<MemoryPools()>& available)
        : roll_(dir, claim_prefix), wish_(wish), available_(available) {}

    RollEntry take() {
        roll_.forget_absent();
        auto entry = roll_.enter(text_of(wish_, common(claims_of(roll_.members()))));
        Roll::wait([&] { return blockers(claims_of(roll_.before(entry))); },
                   [this](const auto& who) { tell(who); },
                   {wish_.patience, [this](const auto& who) { name_strangers(who); }});
        if (std::none_of(last_.begin(), last_.end(), wants_memory)) {
            warn(available_());
        }
        return entry;
    }

  private:
    /// What those of \p members who are there claim, first one first.
    static std::vector<Claim> claims_of(const std::vector<RollMember>& members) {
        std::vector<Claim> claims;
        for (const auto& member : members) {
            if (member.present) {
                if (auto claim = read_claim(member)) {
                    claims.push_back(std::move(*claim));
                }
            }
        }
        return claims;
    }

    /// What there is for all: by those who came first, else what is available now.
    MemoryPools common(const std::vector<Claim>& claims) const {
        auto pools = available_();
        for (auto claim = claims.rbegin(); claim != claims.rend(); ++claim) {
            for (auto& [name, size] : pools) {
                const auto theirs = claim->pools.find(name);
                if (claim->memory > 0 && theirs != claim->pools.end()) {
                    size = theirs->second;
                }
            }
        }
        return pools;
    }

    /// The pool into which \p claims and this test do not go together; nothing if they do.
    std::optional<std::string> too_small(const std::vector<Claim>& claims) const {
        const auto now = available_();
        for (const auto& [name, size] : common(claims)) {
            std::uint64_t sum = wish_.memory;
            for (const auto& claim : claims) {
                // The host's memory is everybody's, a control group's that of those who are in it.
                sum += name == "host" || claim.pools.contains(name) ? claim.memory : 0;
            }
            // What others than tests took since the first one came counts, too.
            if (sum > size || wish_.memory > now.at(name)) {
                return fmt::format("{} MiB of memory ({} has {} for all tests, {} are available now)",
                                   wish_.memory, name, size, now.at(name));
            }
        }
        return std::nullopt;
    }

    std::vector<RollMember> blockers(std::vector<Claim> earlier) {
        last_ = std::move(earlier);
        std::vector<RollMember> who;
        const auto block = [&](auto&& in_the_way) {
            for (const auto& claim : last_) {
                if (in_the_way(claim)) {
                    who.push_back(claim.member);
                }
            }
        };
        what_ = wish_.exclusive ? "the host for itself, as it changes it"
                                : "the host, which another test changes";
        block([this](const Claim& claim) { return wish_.exclusive || claim.exclusive; });
        if (who.empty() && wish_.memory > 0 && std::any_of(last_.begin(), last_.end(), wants_memory)) {
            if (const auto lack = too_small(last_)) {
                what_ = *lack;
                block(wants_memory);
            }
        }
        return who;
    }

    void tell(const std::vector<RollMember>& who) const {
        std::vector<std::string> names;
        for (const auto& claim : last_) {
            if (std::any_of(who.begin(), who.end(),
                            [&](const RollMember& member) { return member.number == claim.member.number; })) {
                names.push_back(holder_text(claim.holder, claim.member.uid));
            }
        }
        log::info("waiting for {}, held by {}", what_, join(names, ", "));
    }

    /// Who holds others up for long may be no test at all; root is told what to do about it.
    void name_strangers(const std::vector<RollMember>& who) const {
        for (const auto& member : who) {
            if (member.uid == ::geteuid()) {
                continue;
            }
            std::vector<std::string> processes;
            for (const auto& process : lock_holders(member.path)) {
                processes.push_back(process_text(process.pid));
            }
            const auto user = user_name(member.uid);
            log::warning(
                "waited {:g} s for {}, which a claim of user {} ({}) forbids, held by {}; if that is no "
                "test, "
                "root can take it away: avocado-runner-vt reap --claims-of {}",
                wish_.patience.count(), what_, user, member.path.native(),
                processes.empty() ? "a process that cannot be seen from here" : join(processes, ", "), user);
        }
    }

    void warn(const MemoryPools& pools) const {
        for (const auto& [name, size] : pools) {
            if (wish_.memory > size) {
                log::warning(
                    "The machines of this test want {} MiB of memory, of which {} has only {} available: it "
                    "may "
                    "swap, or QEMU may be refused",
                    wish_.memory, name, size);
            }
        }
    }

    Roll roll_;
    const HostWish& wish_;
    const std::function<MemoryPools()>& available_;
    std::vector<Claim> last_;  ///< those before us, as blockers() last saw them
    std::string what_;
};

}  // namespace

HostClaim HostClaim::take(const fs::path& dir, const HostWish& wish,
                          const std::function<MemoryPools()>& available) {
    return HostClaim(Turn(dir, wish, available).take());
}

}  // namespace vt
