// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/ssh_connect.hpp"

#include "runner/io/socket.hpp"
#include "runner/session/server_sign.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace vt {
namespace {

struct Quiet {
    Quiet() {
        log::set_sink([](log::Level, std::string_view, std::string_view) {});
    }
    ~Quiet() { log::set_sink({}); }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
};

/// A port on which each connection is treated by a script, as QEMU's user network and servers in guests do.
class ScriptedPort {
  public:
    /// \p script gets each connection and its number, from 0; the connection stays open as long as the port.
    explicit ScriptedPort(std::function<void(UniqueFd&, int)> script)
        : script_(std::move(script)), stop_(::eventfd(0, EFD_CLOEXEC)) {
        listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
            ::listen(listener_.get(), 16) != 0 ||
            ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
            throw SystemError("listen on loopback", errno);
        }
        target.port = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~ScriptedPort() {
        ::eventfd_write(stop_.get(), 1);
        thread_.join();
    }

    int connections() const { return connections_; }
    /// How connection \p number ended, seen from here: 0 in order, ECONNRESET cut off.
    int end_of(std::size_t number) {
        const std::lock_guard lock(mutex_);
        char byte = 0;
        wait_ready(open_.at(number).get(), POLLIN, Deadline::after(Seconds{20}));
        return ::recv(open_.at(number).get(), &byte, 1, 0) == 0 ? 0 : errno;
    }

    SshTarget target;

  private:
    void run() {
        for (;;) {
            std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
            ::poll(fds.data(), fds.size(), -1);
            if (fds[1].revents != 0) {
                return;
            }
            UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            script_(fd, connections_++);
            const std::lock_guard lock(mutex_);
            open_.push_back(std::move(fd));
        }
    }

    std::function<void(UniqueFd&, int)> script_;
    UniqueFd stop_, listener_;
    std::atomic<int> connections_{0};
    std::mutex mutex_;
    std::vector<UniqueFd> open_;
    std::thread thread_;
};

void say(const UniqueFd& fd, std::string_view text) {
    send_all(fd.get(), text, Deadline::after(Seconds{20}));
}

void nothing(UniqueFd&, int) {}

/// What comes next on \p fd.
std::string next_bytes(const UniqueFd& fd) {
    std::array<char, 64> buffer;
    const auto got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

Deadline in(double seconds) {
    return Deadline::after(Seconds{seconds});
}

/// What the wait for a banner says that ends in vain.
std::string vain_wait(const SshTarget& target, double seconds, const ConnectPace& pace = {}) {
    try {
        connect_to_banner(target, in(seconds), true, pace);
    } catch (const LoginTimeoutError& error) {
        return error.output();
    }
    FAIL("a banner");
    return {};
}

class FakeSign : public ServerSign {
  public:
    State look() override {
        eventfd_t ignored = 0;
        ::eventfd_read(changed_.get(), &ignored);
        return state_;
    }
    int fd() const override { return changed_.get(); }
    void ask_again() override { ++doubts; }
    void set(State state) {
        state_ = state;
        ::eventfd_write(changed_.get(), 1);
    }
    std::atomic<int> doubts{0};

  private:
    std::atomic<State> state_{State::absent};
    UniqueFd changed_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

}  // namespace

TEST_CASE("one silent connection is kept and not joined by others") {
    const Quiet quiet;
    ScriptedPort port(nothing);
    CHECK(vain_wait(port.target, 1.5).find("nothing came") != std::string::npos);
    CHECK(port.connections() == 1);
    // QEMU's user network keeps a connection that is closed in order; one that is cut off it forgets.
    CHECK(port.end_of(0) == ECONNRESET);
}

TEST_CASE("a second connection joins one that has been silent for long, a third does not") {
    const Quiet quiet;
    ConnectPace pace;
    pace.silence = Seconds{0.2};
    ScriptedPort port(nothing);
    vain_wait(port.target, 1.5, pace);
    CHECK(port.connections() == 2);

    ScriptedPort second_speaks([](UniqueFd& fd, int number) {
        if (number == 1) {
            say(fd, "SSH-2.0-test\r\n");
        }
    });
    const auto fd = connect_to_banner(second_speaks.target, in(20), true, pace);
    CHECK(next_bytes(fd) == "SSH-2.0-test\r\n");
    CHECK(second_speaks.end_of(0) == ECONNRESET);
}

TEST_CASE("the first connection may speak after the second was made") {
    const Quiet quiet;
    ConnectPace pace;
    pace.silence = Seconds{0.2};
    std::atomic<int> first{-1};
    ScriptedPort port([&](UniqueFd& fd, int number) {
        if (number == 0) {
            first = fd.get();
        } else {
            say(UniqueFd(::dup(first)), "SSH-2.0-late\r\n");
        }
    });
    CHECK(next_bytes(connect_to_banner(port.target, in(20), true, pace)) == "SSH-2.0-late\r\n");
}

TEST_CASE("a connection whose other end is gone is given up in the end") {
    const Quiet quiet;
    ConnectPace pace;
    pace.longest_silence = Seconds{0.2};
    ScriptedPort port([](UniqueFd& fd, int number) {
        if (number == 2) {
            say(fd, "SSH-2.0-test\r\n");
        }
    });
    CHECK(next_bytes(connect_to_banner(port.target, in(20), true, pace)) == "SSH-2.0-test\r\n");
}

TEST_CASE("lines before the identification are passed over, however they come") {
    const Quiet quiet;
    ScriptedPort port([](UniqueFd& fd, int) {
        for (const char* piece : {"Welcome", "\r\nSSH comes soon\n\r\n", "SS", "H", "-2.0-test\r\n"}) {
            say(fd, piece);
            std::this_thread::sleep_for(std::chrono::milliseconds(20));  // so that they come apart
        }
    });
    CHECK(next_bytes(connect_to_banner(port.target, in(20), true)).starts_with("SSH-"));
    CHECK(port.connections() == 1);
}

TEST_CASE("a server that has too many clients is given growing pauses") {
    const Quiet quiet;
    ScriptedPort port([](UniqueFd& fd, int) {
        say(fd, "Exceeded MaxStartups\r\n");
        fd.reset();
    });
    CHECK(vain_wait(port.target, 2.5).find("Exceeded MaxStartups") != std::string::npos);
    CHECK(port.connections() <= 2);  // at 0 and 1 s, the third at 3 s
    try {
        connect_to_banner(port.target, in(20), false);
        FAIL("a banner");
    } catch (const LoginError& error) {
        CHECK(error.msg() == "Client said 'connection closed'");
        CHECK(error.output().find("Exceeded MaxStartups") != std::string::npos);
    }
}

TEST_CASE("refusals are followed by growing pauses") {
    const Quiet quiet;
    ScriptedPort port([](UniqueFd& fd, int) { fd.reset(); });
    vain_wait(port.target, 2);
    CHECK(port.connections() >= 2);
    CHECK(port.connections() <= 5);  // at 0, 0.1, 0.3, 0.7, 1.5 s
}

TEST_CASE("something that speaks but is no SSH server is not listened to for ever") {
    const Quiet quiet;
    for (const bool lines : {true, false}) {
        ScriptedPort port([&](UniqueFd& fd, int) {
            const std::string text(100, 'x');
            try {
                for (int i = 0; i < 2000; ++i) {
                    say(fd, lines ? text + "\n" : text);
                }
            } catch (const SystemError&) {  // hung up on
            }
        });
        CHECK(vain_wait(port.target, 0.9).find("no SSH server: xxx") != std::string::npos);
        CHECK(port.connections() == 1);
    }
    // Half an identification and the end of it.
    ScriptedPort half([](UniqueFd& fd, int) {
        say(fd, "SSH");
        fd.reset();
    });
    CHECK(vain_wait(half.target, 0.5).find("closed") != std::string::npos);
}

TEST_CASE("nothing is opened before the guest is seen to listen") {
    const Quiet quiet;
    ScriptedPort port([](UniqueFd& fd, int) { say(fd, "SSH-2.0-test\r\n"); });
    const auto sign = std::make_shared<FakeSign>();
    auto target = port.target;
    target.sign = sign;
    CHECK(vain_wait(target, 0.5).find("network does not answer") != std::string::npos);
    sign->set(ServerSign::State::refusing);
    CHECK(vain_wait(target, 0.5).find("nobody listens") != std::string::npos);
    CHECK(port.connections() == 0);
    std::thread guest([&] { sign->set(ServerSign::State::listening); });
    CHECK(next_bytes(connect_to_banner(target, in(20), true)) == "SSH-2.0-test\r\n");
    guest.join();
    CHECK(port.connections() == 1);
}

TEST_CASE("a sign that never comes does not hold up a login for ever") {
    const Quiet quiet;
    ConnectPace pace;
    pace.longest_hold = Seconds{0.3};
    ScriptedPort port([](UniqueFd& fd, int) { say(fd, "SSH-2.0-test\r\n"); });
    auto target = port.target;
    const auto sign = std::make_shared<FakeSign>();
    target.sign = sign;
    CHECK(next_bytes(connect_to_banner(target, in(20), true, pace)) == "SSH-2.0-test\r\n");
    sign->set(ServerSign::State::unknown);
    CHECK(next_bytes(connect_to_banner(target, in(20), true)) == "SSH-2.0-test\r\n");
}

TEST_CASE("a connection that came too early is joined by another once the guest listens") {
    const Quiet quiet;
    const auto sign = std::make_shared<FakeSign>();
    ConnectPace pace;
    pace.longest_hold = Seconds{0.1};
    pace.silence = Seconds{0.2};
    ScriptedPort deaf(nothing);
    auto absent = deaf.target;
    absent.sign = std::make_shared<FakeSign>();
    vain_wait(absent, 1, pace);
    CHECK(deaf.connections() == 1);

    pace.silence = Seconds{60};
    ScriptedPort port([&](UniqueFd& fd, int number) {
        if (number == 0) {
            sign->set(ServerSign::State::listening);
        } else {
            say(fd, "SSH-2.0-test\r\n");
        }
    });
    auto target = port.target;
    target.sign = sign;
    CHECK(next_bytes(connect_to_banner(target, in(9), true, pace)) == "SSH-2.0-test\r\n");
    CHECK(port.connections() == 2);
}

TEST_CASE("a failed connection makes the sign doubted; a single try takes a refusal for an answer") {
    const Quiet quiet;
    const auto sign = std::make_shared<FakeSign>();
    sign->set(ServerSign::State::listening);
    ScriptedPort port([](UniqueFd& fd, int) { fd.reset(); });
    auto target = port.target;
    target.sign = sign;
    vain_wait(target, 0.3);
    CHECK(sign->doubts >= 1);
    sign->set(ServerSign::State::refusing);
    CHECK_THROWS_AS(connect_to_banner(target, Deadline::never(), false), LoginError);
}

TEST_CASE("an interrupt ends the wait for a sign") {
    const Quiet quiet;
    SshTarget target;
    target.sign = std::make_shared<FakeSign>();
    target.interrupt = std::make_shared<Interrupt>();
    std::thread raiser([&] { target.interrupt->raise("QEMU ended"); });
    CHECK_THROWS_WITH_AS(connect_to_banner(target, Deadline::never(), true), doctest::Contains("QEMU ended"),
                         LoginError);
    raiser.join();
}

}  // namespace vt
