// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/body_channel.hpp"

#include <array>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

using namespace vt::nrunner;

namespace {

/// A channel and what was said on it.
struct Pair {
    Pair() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0);
        supervisor.reset(ends[0]);
        ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
        channel.emplace(vt::UniqueFd(ends[1]));
    }
    std::vector<BodyEvent> events() const {
        std::vector<BodyEvent> found;
        std::string buffer(2 * packet_limit, '\0');
        for (ssize_t size = 0; (size = ::recv(supervisor.get(), buffer.data(), buffer.size(), 0)) > 0;) {
            found.push_back(decode_packet({buffer.data(), static_cast<std::size_t>(size)}));
        }
        return found;
    }
    vt::UniqueFd supervisor;
    std::optional<BodyChannel> channel;
};

}  // namespace

TEST_CASE("every event survives the channel") {
    const std::vector<BodyEvent> events{
        LogLine{vt::log::Level::error, "a.b", "line"},
        Whiteboard{"text"},
        FilePart{"name", std::string("\0\xff", 2)},
        Output{""},
        TimeLimit{0.25, "test_timeout"},
        SpareGuardian{"/run/job"},
        ReadyToPause{"ssh root@127.0.0.1"},
        Done{{Status::warn, "reason", "Class", "trace", -9}},
        Done{{Status::pass, "", "", "", {}}},
    };
    for (const auto& event : events) {
        CHECK((decode_packet(encode_packet(event)) == event));
    }
}

TEST_CASE("packets that are none are refused") {
    const auto good = encode_packet(Done{{Status::fail, "reason", "Class", "", 1}});
    for (std::size_t size = 0; size < good.size(); ++size) {
        CHECK_THROWS_AS(decode_packet(good.substr(0, size)), PacketError);
    }
    CHECK_THROWS_AS(decode_packet(good + "x"), PacketError);
    CHECK_THROWS_AS(decode_packet("?"), PacketError);
    auto status = good;
    status[5] = 'X';
    CHECK_THROWS_AS(decode_packet(status), PacketError);
    CHECK_THROWS_AS(decode_packet(encode_packet(TimeLimit{std::numeric_limits<double>::infinity(), ""})),
                    PacketError);
}

TEST_CASE("long texts go in parts") {
    Pair pair;
    const std::string text(packet_limit + 10, 'x');
    pair.channel->whiteboard(text);
    const auto events = pair.events();
    REQUIRE(events.size() == 2);
    CHECK(std::get<Whiteboard>(events[0]).text + std::get<Whiteboard>(events[1]).text == text);
}

TEST_CASE("a result is shortened to fit") {
    Pair pair;
    pair.channel->result(
        {Status::error, std::string(1 << 20, 'r'), std::string(1 << 20, 'c'), std::string(1 << 20, 't'), {}});
    const auto events = pair.events();
    REQUIRE(events.size() == 1);
    CHECK(std::get<Done>(events[0]).result.status == Status::error);
    CHECK(!std::get<Done>(events[0]).result.traceback.empty());
}

TEST_CASE("a channel without a supervisor swallows everything") {
    Pair pair;
    pair.supervisor.reset();
    pair.channel->log(vt::log::Level::info, "x", "nobody hears this");
    pair.channel->result({});
}

TEST_CASE("statuses by name") {
    CHECK(status_from_name("WARN") == Status::warn);
    CHECK(status_from_name("interrupted") == Status::interrupted);
    CHECK(!status_from_name("passed"));
    CHECK(status_name(Status::cancel) == "cancel");
}
