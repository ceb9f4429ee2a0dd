// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/serial.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/unix_peer_for_test.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <thread>

#include <doctest/doctest.h>
#include <sys/socket.h>

namespace vt {
namespace {

/// What a Linux console says, from login prompt to shell and back.
class FakeGetty {
  public:
    explicit FakeGetty(std::string password) : password_(std::move(password)) {}

    std::string operator()(const std::string& line) {
        switch (state_) {
            case State::login:
                if (line.empty()) {
                    return "\r\nlocalhost login: ";
                }
                state_ = State::password;
                return line + "\r\nPassword: ";
            case State::password:
                state_ = line == password_ ? State::shell : State::login;
                return line == password_ ? "\r\nLast login: today\r\n" + prompt
                                         : "\r\nLogin incorrect\r\nlocalhost login: ";
            case State::shell:
                return line + "\r\n" + run(line) + prompt;
        }
        return {};
    }

  private:
    enum class State { login, password, shell };

    std::string run(const std::string& line) {
        if (line == "echo $?") {
            return std::to_string(status_) + "\r\n";
        }
        status_ = line == "false" ? 1 : 0;
        return line == "uptime" ? "up\r\n" : "";
    }

    const std::string prompt = "\x1b[?2004h[root@localhost ~]# \x1b[6n";
    std::string password_;
    State state_ = State::login;
    int status_ = 0;
};

struct Console {
    explicit Console(const std::string& greeting = "boot message\r\nlocalhost login: ")
        : peer(scratch.path() / "s", greeting, FakeGetty("secret")),
          console(loop, scratch.path() / "s", scratch.path() / "serial.log", Deadline::after(Seconds{10})) {
        log::set_sink([](log::Level, std::string_view, std::string_view) {});
    }
    ~Console() { log::set_sink({}); }
    Console(const Console&) = delete;
    Console& operator=(const Console&) = delete;

    ConsoleLogin login_as(const std::string& password) const {
        ConsoleLogin login;
        login.password = password;
        login.shell.prompt = R"(^\[.*\][\#\$]\s*$)";
        return login;
    }

    TempDirectory scratch{"vt-serial-test-"};
    UnixPeer peer;
    IoLoop loop;
    SerialConsole console;
};

}  // namespace

TEST_CASE("a login on the console is a session") {
    Console there;
    auto session = there.console.login(there.login_as("secret"), Deadline::after(Seconds{20}));
    CHECK(session->cmd("uptime") == "up\n");
    CHECK(session->cmd_status("false") == 1);
    SUBCASE("another login finds the shell that is there") {
        session.reset();
        CHECK(there.console.is_open());
        session = there.console.login(there.login_as("secret"), Deadline::after(Seconds{20}));
        CHECK(session->cmd("uptime") == "up\n");
    }
    SUBCASE("the end of the connection ends the session at once") {
        std::promise<void> closed;
        there.console.on_closed([&] { closed.set_value(); });
        there.peer.hang_up();
        CHECK(closed.get_future().wait_for(Seconds{10}) == std::future_status::ready);
        CHECK_THROWS_AS(session->cmd("uptime"), ShellProcessTerminatedError);
        CHECK_FALSE(there.console.is_open());
        CHECK_FALSE(session->is_alive());
    }
}

TEST_CASE("a wrong password on the console is refused") {
    Console there;
    CHECK_THROWS_AS(there.console.login(there.login_as("wrong"), Deadline::after(Seconds{30})),
                    LoginAuthenticationError);
}

TEST_CASE("a silent console times out with what was last seen on it") {
    Console there("[ 1.0] Kernel panic - not syncing: VFS\r\n");
    try {
        there.console.login(there.login_as("secret"), Deadline::after(Seconds{0.5}));
        // FakeGetty answers the empty line that ends the patience, so a login is fine too on a slow machine.
    } catch (const LoginTimeoutError& error) {
        CHECK(error.output().find("Kernel panic") != std::string::npos);
    }
}

TEST_CASE("lines reach log and watchers with time stamps, without control sequences") {
    Console there("");
    std::promise<std::string> panic;
    there.console.watch([&](std::string_view line) {
        if (line.find("Kernel panic") != std::string_view::npos) {
            panic.set_value(std::string(line));
        }
    });
    there.peer.say("\x1b[1;31mKernel panic\x1b[0m - not syncing\r\n");
    auto seen = panic.get_future();
    REQUIRE(seen.wait_for(Seconds{10}) == std::future_status::ready);
    CHECK(seen.get() == "Kernel panic - not syncing");
    const auto log = read_file(there.scratch.path() / "serial.log");
    CHECK(log.size() > 21);
    CHECK(log.substr(19) == ": Kernel panic - not syncing\n");
    CHECK(there.console.tail() == "Kernel panic - not syncing\n");
}

TEST_CASE("a console that is let go of is somebody else's, and then ours again") {
    Console there;
    std::atomic<bool> closed = false;
    there.console.on_closed([&] { closed = true; });
    const auto session = there.console.session({});
    there.console.let_go();
    std::thread writer([&] { session->sendline(); });  // waits until the console is ours again
    {
        const auto other = connect_unix(there.console.socket(), Deadline::after(Seconds{10}));
        std::array<char, 4> greeting{};
        CHECK(::recv(other.get(), greeting.data(), greeting.size(), MSG_WAITALL) == 4);
    }
    there.console.take_back(Deadline::after(Seconds{10}));
    writer.join();
    session->read_until_any_line_matches({"login: "}, Seconds{10});
    CHECK(there.console.is_open());
    CHECK_FALSE(closed);
    CHECK(read_file(there.scratch.path() / "serial.log").find("left to others") != std::string::npos);
}

TEST_CASE("an interrupt ends a login on the console") {
    Console there("booting");
    auto login = there.login_as("secret");
    login.interrupt = std::make_shared<Interrupt>();
    login.interrupt->raise("QEMU ended with status 1");
    try {
        there.console.login(login, Deadline::after(Seconds{60}));
        FAIL("no exception");
    } catch (const LoginError& error) {
        CHECK(error.msg() == "QEMU ended with status 1");
    }
}

TEST_CASE("a socket that appears later is awaited") {
    const TempDirectory scratch("vt-serial-test-");
    const auto path = scratch.path() / "late";
    std::unique_ptr<UnixPeer> peer;
    std::thread maker(
        [&] { peer = std::make_unique<UnixPeer>(path, "", [](const std::string&) { return ""; }); });
    CHECK(connect_unix(path, Deadline::after(Seconds{10})));
    maker.join();
    CHECK_THROWS_AS(connect_unix(scratch.path() / "never", Deadline::after(Seconds{0.1})), TimeoutError);
    Interrupt interrupt;
    interrupt.raise("gone");
    CHECK_THROWS_AS(connect_unix(scratch.path() / "never", Deadline::never(), &interrupt), InterruptedError);
}

TEST_CASE("a socket with a long name is reached") {
    const TempDirectory scratch("vt-serial-test-");
    const auto directory = scratch.path() / std::string(100, 'd');
    std::filesystem::create_directory(directory);
    const auto short_way = scratch.path() / "l";
    std::filesystem::create_directory_symlink(directory, short_way);
    UnixPeer peer(short_way / "s", "", [](const std::string&) { return ""; });
    CHECK(connect_unix(directory / "s", Deadline::after(Seconds{10})));
}

TEST_CASE("an interrupt calls its handlers once") {
    auto interrupt = std::make_shared<Interrupt>();
    int called = 0;
    {
        const InterruptWatch forgotten(interrupt, [&] { called += 100; });
    }
    const InterruptWatch watch(interrupt, [&] { ++called; });
    interrupt->raise("one");
    interrupt->raise("two");
    CHECK(called == 1);
    CHECK(interrupt->reason() == "one");
    const InterruptWatch late(interrupt, [&] { ++called; });
    CHECK(called == 2);
    CHECK_FALSE(wait_ready(-1, 0, Deadline::after(Seconds{0})));
}

}  // namespace vt
