// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/net/network_namespace.hpp"

#include "runner/support/error.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <net/if.h>
#include <unistd.h>

namespace vt {
namespace {

std::string namespace_of(const char* who) {
    return std::filesystem::read_symlink(std::string("/proc/") + who + "/ns/net").string();
}

TEST_CASE("a network namespace is another one than ours, and only for the thread that is in there") {
    if (const auto obstacle = NetworkNamespace::obstacle()) {
        CHECK(obstacle->find("needs root") != std::string::npos);
        return;
    }
    const auto ours = namespace_of("self");
    const NetworkNamespace one;
    const NetworkNamespace other;
    std::string there;
    std::string elsewhere;
    one.run_there([&] {
        there = namespace_of("thread-self");
        CHECK(::if_nametoindex("lo") == 1);
    });
    other.run_there([&] { elsewhere = namespace_of("thread-self"); });
    CHECK(there != ours);
    CHECK(there != elsewhere);
    CHECK(namespace_of("thread-self") == ours);
    CHECK_THROWS_WITH_AS(one.run_there([] { throw Error("in vain"); }), "in vain", Error);
    const auto words = one.enter_words();
    REQUIRE(words.size() == 3);
    CHECK(words[1] == fmt::format("--net=/proc/{}/fd/{}", ::getpid(), one.fd()));
}

}  // namespace
}  // namespace vt
