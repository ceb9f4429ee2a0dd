// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/outbox.hpp"

#include "runner/support/file.hpp"

#include <cstring>

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vt::nrunner;

namespace {

/// A listening Unix socket.
class Server {
  public:
    explicit Server(const std::string& path, int backlog = 5) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(fd_.get(), backlog) == 0);
    }
    vt::UniqueFd accept() const {
        pollfd waiting{fd_.get(), POLLIN, 0};
        REQUIRE(::poll(&waiting, 1, 5000) == 1);
        return vt::UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }

  private:
    vt::UniqueFd fd_;
};

std::string receive(const vt::UniqueFd& connection) {
    std::string buffer(1 << 16, '\0');
    const auto size = ::recv(connection.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    buffer.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return buffer;
}

/// Turns the loop until nothing waits, or \p turns are over.
void turn(Outbox& outbox, int turns = 50) {
    while (turns-- > 0 && !outbox.idle()) {
        vt::PollSet polls;
        const auto entries = outbox.add_to(polls);
        polls.wait_ms(20);
        outbox.serve(polls, entries);
    }
}

Message message(const std::string& text) {
    Message message;
    message.add("text", text);
    return message;
}

}  // namespace

TEST_CASE("messages arrive in order and whole") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path);
    Outbox outbox({path}, false);
    outbox.post(message("one"));
    outbox.post(message("two"));
    turn(outbox);
    CHECK(outbox.idle());
    CHECK(receive(server.accept()) == "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
    CHECK(outbox.take_problems().empty());
}

TEST_CASE("a server that does not read makes congestion, not loss") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path);
    Outbox outbox({path}, false);
    CHECK(!outbox.congested());
    for (int i = 0; i < 10; ++i) {
        outbox.post(message(std::string(1 << 20, 'x')));
    }
    turn(outbox, 3);
    CHECK(outbox.congested());
    const auto connection = server.accept();
    std::size_t total = 0;
    for (int i = 0; i < 10000 && !outbox.idle(); ++i) {
        turn(outbox, 1);
        total += receive(connection).size();
    }
    for (std::string rest = "x"; !rest.empty(); total += rest.size()) {
        rest = receive(connection);
    }
    CHECK(total == 10 * ((1 << 20) + 13));
}

TEST_CASE("unreachable servers are told of once") {
    Outbox outbox({"/nowhere/at/all", "", std::string(300, 'p'), "host.invalid:x"}, false);
    turn(outbox, 3);
    CHECK(outbox.take_problems().size() == 4);
    CHECK(outbox.take_problems().empty());
    outbox.post(message("nobody"));
    CHECK(outbox.idle());
}

TEST_CASE("a full queue of connections is waited for") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path, 0);
    Outbox first({path}, false);
    Outbox second({path}, false);
    second.post(message("patience"));
    turn(second, 2);
    CHECK(!second.idle());
    CHECK(second.patience_ms() >= 0);
    const auto one = server.accept();
    turn(second);
    CHECK(second.idle());
    CHECK(receive(server.accept()) == "{\"text\": \"patience\"}\n");
}

TEST_CASE("a broken connection is tried once more, from the beginning of the line") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path);
    Outbox outbox({path}, false);
    server.accept();
    outbox.post(message("again"));
    turn(outbox);
    CHECK(receive(server.accept()) == "{\"text\": \"again\"}\n");
    outbox.post(message("lost"));
    turn(outbox);
    CHECK(outbox.take_problems().size() == 1);
}

namespace {

/// Runs \p heir in a process forked from this one, as a sweeper does, and waits for it.
template <typename Heir>
void in_heir(Heir&& heir) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        heir();
        ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
}

void take_over(Outbox& outbox) {
    outbox.take_over(message("started"), {message("log"), message("finished")});
    drive(outbox, vt::Deadline::after(vt::Seconds(10)));
}

}  // namespace

TEST_CASE("whoever takes over says what is missing, by the same connection") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path);
    Outbox outbox({path}, false);
    const auto connection = server.accept();
    SUBCASE("nothing was said") {
        in_heir([&] { take_over(outbox); });
        CHECK(receive(connection) ==
              "{\"text\": \"started\"}\n{\"text\": \"log\"}\n{\"text\": \"finished\"}\n");
    }
    SUBCASE("it had begun, and something waits that is lost") {
        outbox.post(message("first"));
        turn(outbox);
        outbox.post(message("lost"));
        in_heir([&] { take_over(outbox); });
        CHECK(receive(connection) ==
              "{\"text\": \"first\"}\n{\"text\": \"log\"}\n{\"text\": \"finished\"}\n");
    }
    SUBCASE("all was said") {
        outbox.post(message("first"));
        outbox.post_last(message("the end"));
        turn(outbox);
        in_heir([&] { take_over(outbox); });
        CHECK(receive(connection) == "{\"text\": \"first\"}\n{\"text\": \"the end\"}\n");
    }
    SUBCASE("the last word was there and had not gone") {
        outbox.post_last(message("the end"));
        in_heir([&] { take_over(outbox); });
        CHECK(receive(connection).ends_with("{\"text\": \"finished\"}\n"));
    }
}

TEST_CASE("what waits before the last message can be dropped, but for what has begun") {
    const vt::TempDirectory dir("outbox-test-");
    const auto path = (dir.path() / "s").string();
    const Server server(path);
    Outbox outbox({path}, false);
    const auto connection = server.accept();
    outbox.post(message(std::string(1 << 20, 'x')));
    turn(outbox, 5);  // as much as the socket takes
    for (int i = 0; i < 100; ++i) {
        outbox.post(message("dropped"));
    }
    outbox.post_last(message("the end"));
    outbox.drop_all_but_last();
    std::string all;
    while (!outbox.idle()) {
        turn(outbox, 1);
        all += receive(connection);
    }
    all += receive(connection);
    CHECK(all.find("dropped") == std::string::npos);
    CHECK(all.ends_with("x\"}\n{\"text\": \"the end\"}\n"));
    in_heir([&] { take_over(outbox); });
    CHECK(receive(connection).empty());
}
