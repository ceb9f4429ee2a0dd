// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/io/socket_reader.hpp"

#include "runner/io/interrupt.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/io/log_watch.hpp"
#include "runner/io/poll_set.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log_bound.hpp"

#include <array>
#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vt {
namespace {

struct Pair {
    Pair() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        ours.reset(ends[0]);
        theirs.reset(ends[1]);
    }
    UniqueFd ours;
    UniqueFd theirs;
};

}  // namespace

TEST_CASE("no handler runs any more when a reader is gone, however much there is to read") {
    IoLoop loop;
    for (int i = 0; i < 50; ++i) {
        Pair pair;
        std::atomic<bool> gone{false};
        std::atomic<int> late{0};
        std::promise<void> first;
        bool told = false;  // only on the loop's thread
        auto reader = std::make_unique<SocketReader>(
            loop, std::move(pair.ours),
            SocketReader::Handlers{[&](std::string_view) {
                                       late += gone ? 1 : 0;
                                       if (!std::exchange(told, true)) {
                                           first.set_value();
                                       }
                                   },
                                   [&](const std::string&) { late += gone ? 1 : 0; }});
        std::thread writer([&] {
            const std::string bytes(1000, 'x');
            for (int k = 0; k < 100; ++k) {
                if (::send(pair.theirs.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) {
                    return;
                }
            }
        });
        first.get_future().get();
        reader.reset();
        gone = true;
        writer.join();
        loop.run_there([] {});
        CHECK(late == 0);
    }
}

TEST_CASE("a reader may be closed by its own handler, and from several threads at once") {
    IoLoop loop;
    Pair pair;
    SocketReader* self = nullptr;
    std::promise<void> closed;
    std::unique_ptr<SocketReader> reader;
    loop.run_there([&] {
        reader = std::make_unique<SocketReader>(loop, std::move(pair.ours),
                                                SocketReader::Handlers{[&](std::string_view) {
                                                                           self->close();
                                                                           closed.set_value();
                                                                       },
                                                                       [](const std::string&) {}});
        self = reader.get();
    });
    REQUIRE(::send(pair.theirs.get(), "x", 1, 0) == 1);
    closed.get_future().get();
    std::thread other([&] { reader->close(); });
    reader->close();
    other.join();
    loop.run_there([&] { reader.reset(); });
}

TEST_CASE("an interrupt is raised and forgotten from several threads") {
    for (int i = 0; i < 50; ++i) {
        auto interrupt = std::make_shared<Interrupt>();
        std::atomic<int> heard{0};
        std::thread raiser([&] { interrupt->raise("because"); });
        {
            const InterruptWatch watch(interrupt, [&] { ++heard; });
        }
        raiser.join();
        CHECK(heard <= 1);
        CHECK(*interrupt->reason() == "because");
    }
}

TEST_CASE("a log that somebody else writes is kept in bounds while it is watched, and when that ends") {
    const TempDirectory dir("log-watch-test-");
    const auto path = dir.path() / "log";
    const auto before = log_limit();
    set_log_limit(10000);
    const UniqueFd writer(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    {
        IoLoop loop;
        const LogWatch watch(loop, path);
        for (int i = 0; i < 1000; ++i) {
            write_all(writer.get(), std::string(99, 'x') + "\n");
        }
    }
    set_log_limit(before);
    CHECK(std::filesystem::file_size(path) <= 10000);
    CHECK(read_file(path).find(" bytes are left out here") != std::string::npos);
}

TEST_CASE("a poll set names its descriptors") {
    Pair pair;
    PollSet polls;
    const auto none = polls.add(-1);
    const auto readable = polls.add(pair.ours.get());
    const auto writable = polls.add(pair.theirs.get(), POLLOUT);
    polls.wait_ms(0);
    CHECK(!polls.ready(none));
    CHECK(!polls.ready(readable));
    CHECK(polls.events(writable) == POLLOUT);
    CHECK(sooner_ms(-1, 5) == 5);
    CHECK(sooner_ms(5, -1) == 5);
    CHECK(sooner_ms(7, 3) == 3);
    CHECK(sooner_ms(-1, -1) == -1);
}

}  // namespace vt
