// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/json_rpc.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/support/deadline.hpp"

#include <array>
#include <future>
#include <string>
#include <thread>
#include <utility>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>

namespace vt {
namespace {

using Json = nlohmann::json;

/// The peer: reads one message at a time, says what it is told to.
struct Peer {
    Peer() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        ours.reset(ends[0]);
        theirs.reset(ends[1]);
    }
    Json hear() {
        for (;;) {
            if (!heard.empty()) {
                const auto message = Json::parse(heard.front());
                heard.erase(heard.begin());
                return message;
            }
            std::array<char, 4096> chunk{};
            const auto got = ::read(theirs.get(), chunk.data(), chunk.size());
            REQUIRE(got > 0);
            heard = splitter.feed({chunk.data(), static_cast<std::size_t>(got)});
        }
    }
    void say(const std::string& text) { send_all(theirs.get(), text, Deadline::after(Seconds{10})); }

    UniqueFd ours;
    UniqueFd theirs;
    JsonSplitter splitter;
    std::vector<std::string> heard;
};

Deadline soon() {
    return Deadline::after(Seconds{20});
}

TEST_CASE("a stream of JSON objects is cut where each ends") {
    JsonSplitter splitter;
    CHECK(splitter.feed(" {\"a\": \"}\\\"{\", ").empty());
    const auto texts = splitter.feed("\"b\": [{}, {}]}{}\n {\"c");
    REQUIRE(texts.size() == 2);
    CHECK(Json::parse(texts[0])["a"] == "}\"{");
    CHECK(texts[1] == "{}");
    CHECK(splitter.feed("\":1}").size() == 1);
    CHECK_THROWS_WITH_AS(splitter.feed("]"), "a JSON object was expected, but 0x5d came", Error);
    JsonSplitter small(8);
    CHECK_THROWS_WITH_AS(small.feed("{\"a\": [[[["), "a JSON text goes on after 8 bytes", Error);
}

TEST_CASE("replies find their calls, in whatever order they come") {
    IoLoop loop;
    Peer peer;
    JsonRpc rpc(loop, std::move(peer.ours), "the peer");
    auto first = std::async(std::launch::async, [&] { return rpc.call("one", Json::array({1}), soon()); });
    const auto one = peer.hear();
    auto second = std::async(std::launch::async, [&] { return rpc.call("two", Json::array(), soon()); });
    const auto two = peer.hear();
    CHECK(one["method"] == "one");
    CHECK(one["params"] == Json::array({1}));
    peer.say(Json{{"id", 77}, {"result", 0}, {"error", nullptr}}.dump());
    peer.say(Json{{"id", two["id"]}, {"result", "second"}, {"error", nullptr}}.dump());
    CHECK(second.get() == "second");
    peer.say(Json{{"id", one["id"]}, {"result", nullptr}, {"error", "no such thing"}}.dump());
    CHECK_THROWS_WITH_AS(first.get(), "the peer refuses \"one\": no such thing", JsonRpcError);
}

TEST_CASE("the peer's echo is answered, its notifications are handed on") {
    IoLoop loop;
    Peer peer;
    std::promise<std::string> told;
    JsonRpc rpc(loop, std::move(peer.ours), "the peer",
                [&](const std::string& method, const Json& parameters) {
                    told.set_value(method + parameters.dump());
                });
    peer.say(R"({"id": "echo", "method": "echo", "params": [5]})");
    const auto answer = peer.hear();
    CHECK(answer["id"] == "echo");
    CHECK(answer["result"] == Json::array({5}));
    peer.say(R"({"id": null, "method": "update", "params": [1]})");
    CHECK(told.get_future().get() == "update[1]");
}

TEST_CASE("who waits hears of the connection's end, of nonsense, of an interrupt and of time") {
    IoLoop loop;
    Peer peer;
    JsonRpc rpc(loop, std::move(peer.ours), "the peer");
    CHECK_THROWS_WITH_AS(rpc.call("slow", Json::array(), Deadline::after(Seconds{0.02})),
                         "the peer did not answer \"slow\" within 0.02 s", TimeoutError);
    Interrupt interrupt;
    interrupt.raise("it died");
    CHECK_THROWS_WITH_AS(rpc.call("dead", Json::array(), soon(), &interrupt), "it died", InterruptedError);
    auto waiting = std::async(std::launch::async, [&] { return rpc.call("wait", Json::array(), soon()); });
    peer.hear();
    SUBCASE("the end") {
        peer.theirs.reset();
    }
    SUBCASE("nonsense") {
        peer.say("HTTP/1.1 400 Bad Request");
    }
    CHECK_THROWS_AS(waiting.get(), Error);
    CHECK_THROWS_AS(rpc.call("again", Json::array(), soon()), Error);
}

}  // namespace
}  // namespace vt
