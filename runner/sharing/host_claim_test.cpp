// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/sharing/host_claim.hpp"

#include "runner/sharing/take_away.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/holder.hpp"
#include "runner/support/log.hpp"

#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <string>

#include <doctest/doctest.h>
#include <unistd.h>

using vt::HostClaim;
using vt::HostWish;
using vt::MemoryPools;

namespace {

/// The log, and a wait for a line of it.
class Lines {
  public:
    Lines() {
        vt::log::set_sink([this](auto, auto, std::string_view line) {
            const std::lock_guard lock(mutex_);
            text_ += std::string(line) + "\n";
            changed_.notify_all();
        });
    }
    ~Lines() { vt::log::set_sink({}); }

    bool wait_for(const std::string& words) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20),
                                 [&] { return text_.find(words) != std::string::npos; });
    }
    std::string text() {
        const std::lock_guard lock(mutex_);
        return text_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
};

struct Host {
    vt::TempDirectory dir{"vt-test-"};
    MemoryPools pools{{"host", 1000}};

    HostClaim take(const HostWish& wish) const {
        return HostClaim::take(dir.path(), wish, [this] { return pools; });
    }
    std::future<HostClaim> later(HostWish wish) const {
        return std::async(std::launch::async, [this, wish = std::move(wish)] { return take(wish); });
    }
};

bool waits(const std::future<HostClaim>& claim) {
    return claim.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

}  // namespace

TEST_CASE("what fits runs at once; what does not waits, named, until it does") {
    Lines lines;
    Host host;
    std::optional<HostClaim> first = host.take({400, false, "first"});
    std::optional<HostClaim> second = host.take({500, false, "second"});
    const auto light = host.take({0, false, "light"});
    CHECK(lines.text().empty());
    auto third = host.later({200, false, "third"});
    CHECK(
        lines.wait_for("waiting for 200 MiB of memory (host has 1000 for all tests, 1000 are available now), "
                       "held by first, second"));
    CHECK(waits(third));
    second.reset();
    third.get();
}

TEST_CASE("nobody overtakes the one who waits for memory but who needs none") {
    Lines lines;
    Host host;
    std::optional<HostClaim> first = host.take({900, false, "first"});
    auto large = host.later({600, false, "large"});
    CHECK(lines.wait_for("waiting for 600 MiB"));
    host.take({0, false, "light"});
    auto small = host.later({50, false, "small"});
    CHECK(lines.wait_for("waiting for 50 MiB"));
    first.reset();
    {
        const auto held = large.get();
        small.get();
    }
}

TEST_CASE("memory that others than tests took counts, where there is somebody to wait for") {
    Lines lines;
    Host host;
    std::optional<HostClaim> first = host.take({100, false, "first"});
    host.pools["host"] = 150;
    auto second = host.later({200, false, "second"});
    CHECK(
        lines.wait_for("waiting for 200 MiB of memory (host has 1000 for all tests, 150 are available now)"));
    first.reset();
    second.get();
    CHECK(lines.wait_for("want 200 MiB of memory, of which host has only 150 available"));
}

TEST_CASE("a test that never fits runs when it is alone, with a warning") {
    Lines lines;
    Host host;
    host.take({5000, false, "huge"});
    CHECK(lines.wait_for("want 5000 MiB of memory, of which host has only 1000 available"));
}

TEST_CASE("a control group's memory is that of those who are in it") {
    Lines lines;
    Host host;
    std::optional<HostClaim> outside = host.take({500, false, "outside"});
    host.pools["control group /a"] = 300;
    std::optional<HostClaim> first = host.take({200, false, "first"});
    auto second = host.later({200, false, "second"});
    CHECK(lines.wait_for("waiting for 200 MiB of memory (control group /a has 300 for all tests"));
    first.reset();
    second.get();
}

TEST_CASE("who changes the host has it alone, and those who come later wait") {
    Lines lines;
    Host host;
    std::optional<HostClaim> first = host.take({0, false, "first"});
    auto changer = host.later({100, true, "changer"});
    CHECK(lines.wait_for("waiting for the host for itself, as it changes it, held by first"));
    auto later = host.later({0, false, "later"});
    CHECK(lines.wait_for("waiting for the host, which another test changes, held by changer"));
    first.reset();
    {
        const auto held = changer.get();
        CHECK(waits(later));
    }
    later.get();
}

TEST_CASE("a stranger's nonsense is no claim") {
    Lines lines;
    Host host;
    const vt::Roll roll(host.dir.path(), "avocado-vt-claim-");
    const auto garbage = roll.enter("\xff\n{");
    const auto negative = roll.enter(R"({"memory": "lots", "exclusive": true, "holder": "x", "pools": {}})");
    host.take({100, true, "first"});
    const auto endless = roll.enter(
        R"({"memory": 18446744073709551615, "exclusive": false, "holder": "a\nb", "pools": {"host": 0}})");
    auto waiting = host.later({100, false, "second"});
    CHECK(lines.wait_for("held by a?b"));
    CHECK(waits(waiting));
    // Its end, as it cannot be talked to.
    std::filesystem::remove(host.dir.path() / "avocado-vt-claim-000000000003");
    waiting.get();
}

TEST_CASE("a stranger's huge number neither lets exclusive tests overlap nor stops them for ever") {
    Lines lines;
    Host host;
    {
        const auto stranger = vt::FileLock::try_take(host.dir.path() / "avocado-vt-claim-999999999999",
                                                     vt::FileLock::Mode::exclusive, "no claim");
        REQUIRE(stranger);
        std::optional<HostClaim> first = host.take({0, true, "first"});
        auto second = host.later({0, true, "second"});
        CHECK(lines.wait_for("waiting for the host for itself, as it changes it, held by first"));
        CHECK(waits(second));
        first.reset();
        second.get();
    }
}

// Makes files of another user, which only root can.
TEST_CASE("another user who is waited for is named with his process, and root can end it" *
          doctest::skip(::geteuid() != 0)) {
    Lines lines;
    Host host;
    const auto path = host.dir.path() / "avocado-vt-claim-000000000001";
    {
        vt::write_file_atomically(path, R"({"memory": 0, "exclusive": true, "holder": "me", "pools": {}})");
        REQUIRE(::chown(path.c_str(), 1, 1) == 0);
        const auto held = vt::FileLock::try_take(path, vt::FileLock::Mode::exclusive, "");
        REQUIRE(held);
        HostWish wish{100, false, "ours"};
        wish.patience = vt::Seconds{0.01};
        auto ours = host.later(wish);
        const auto user = vt::user_name(1);
        CHECK(lines.wait_for("held by me of user " + user));
        CHECK(lines.wait_for("which a claim of user " + user));
        CHECK(lines.wait_for("held by process " + std::to_string(::getpid()) + " ("));
        CHECK(lines.wait_for("reap --claims-of " + user));
        CHECK(waits(ours));
        CHECK(vt::take_away_claims(host.dir.path(), 2).empty());
        CHECK(waits(ours));
        const auto taken = vt::take_away_claims(host.dir.path(), vt::user_named(user));
        REQUIRE(taken.size() == 1);
        CHECK(taken[0] == "the claim " + path.native());  // held by a process of root's, not of that user
        ours.get();
    }
}

TEST_CASE("users are named or numbered") {
    CHECK(vt::user_named("root") == 0);
    CHECK(vt::user_named("12345") == 12345);
    CHECK_THROWS_AS(vt::user_named("no such user"), vt::Error);
    CHECK_THROWS_AS(vt::user_named(""), vt::Error);
    CHECK_THROWS_AS(vt::user_named("-1"), vt::Error);
}
