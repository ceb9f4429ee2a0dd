// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/monitor/qmp.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/unix_peer_for_test.hpp"
#include "runner/monitor/human.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <future>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>

namespace vt {
namespace {

using Json = nlohmann::json;

const std::string greeting = R"({"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": []}})"
                             "\r\n";

Deadline soon() {
    return Deadline::after(Seconds{20});
}

struct Quiet {
    Quiet() {
        log::set_sink([](log::Level, std::string_view, std::string_view) {});
    }
    ~Quiet() { log::set_sink({}); }
    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;
};

std::string reply(const Json& command, const Json& value) {
    return Json{{"return", value}, {"id", command.value("id", "")}}.dump() + "\r\n";
}

/// A QEMU that answers by \p answer; capabilities are negotiated already.
struct FakeQemu {
    explicit FakeQemu(std::function<std::string(const Json&)> answer, const std::string& hello = greeting)
        : peer(scratch.path() / "q", hello, [answer](const std::string& line) {
              const auto command = Json::parse(line);
              return command["execute"] == "qmp_capabilities" ? reply(command, Json::object())
                                                              : answer(command);
          }) {}

    std::unique_ptr<QmpMonitor> connect() {
        return QmpMonitor::connect(loop, {"qmp1", "vm1", scratch.path() / "q", scratch.path() / "log"},
                                   soon());
    }

    Quiet quiet;
    TempDirectory scratch{"vt-qmp-test-"};
    UnixPeer peer;
    IoLoop loop;
};

/// A real QEMU without a disk.
class RealQemu {
  public:
    static constexpr const char* binary = "/usr/bin/qemu-system-x86_64";

    explicit RealQemu(const std::filesystem::path& directory) {
        const std::string qmp = "unix:" + (directory / "q").string() + ",server=on,wait=off";
        const std::string human = "unix:" + (directory / "h").string() + ",server=on,wait=off";
        const char* argv[] = {binary, "-accel", "tcg",       "-display", "none",        "-nodefaults",
                              "-S",   "-qmp",   qmp.c_str(), "-monitor", human.c_str(), nullptr};
        if (::posix_spawn(&pid_, binary, nullptr, nullptr, const_cast<char* const*>(argv), environ) != 0) {
            throw Error("cannot start QEMU");
        }
    }
    ~RealQemu() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    pid_t pid() const { return pid_; }
    void signal(int number) const { ::kill(pid_, number); }
    RealQemu(const RealQemu&) = delete;
    RealQemu& operator=(const RealQemu&) = delete;

  private:
    pid_t pid_ = -1;
};

bool no_qemu() {
    if (std::filesystem::exists(RealQemu::binary)) {
        return false;
    }
    MESSAGE("skipped: needs /usr/bin/qemu-system-x86_64 (package qemu-system-x86)");
    return true;
}

}  // namespace

TEST_CASE("a real QEMU is talked to") {
    if (no_qemu()) {
        return;
    }
    const Quiet quiet;
    const TempDirectory scratch("vt-qmp-test-");
    const RealQemu qemu(scratch.path());
    IoLoop loop;
    const MonitorAddress address{"qmp1", "vm1", scratch.path() / "q", scratch.path() / "qmp.log"};
    auto monitor = QmpMonitor::connect(loop, address, soon());
    CHECK(monitor->greeting().contains("QMP"));
    CHECK(monitor->command("query-status", soon())["status"] == "prelaunch");
    monitor->command("cont", soon());
    const auto resumed = monitor->wait_event("RESUME", soon());
    REQUIRE(resumed);
    CHECK(resumed->timestamp() > 1.5e9);
    CHECK(monitor->get_event("RESUME"));
    monitor->clear_event("RESUME");
    CHECK_FALSE(monitor->get_event("RESUME"));
    CHECK(monitor->human_monitor_cmd("info status", soon()) == "VM status: running\r\n");
    try {
        monitor->command("no-such-command", soon());
        FAIL("no exception");
    } catch (const QMPCmdError& error) {
        CHECK(error.error_class() == "CommandNotFound");
    }
    CHECK(monitor->command_object({{"execute", "no-such-command"}}, soon()).contains("error"));
    monitor->verify_supported_cmd("system_powerdown", soon());
    CHECK_THROWS_AS(monitor->verify_supported_cmd("fly", soon()), MonitorNotSupportedCmdError);
    CHECK(monitor->is_responsive(soon()));

    const MonitorAddress human_address{"hmp1", "vm1", scratch.path() / "h", scratch.path() / "hmp.log"};
    auto human = HumanMonitor::connect(loop, human_address, soon());
    CHECK(human->command("info status", soon()) == "VM status: running");
    CHECK_THROWS_AS(human->command("device_add nope", soon()), HumanCmdError);
    CHECK(human->command("help", soon()).find("system_powerdown") != std::string::npos);
    CHECK(human->is_responsive(soon()));

    std::promise<std::string> closed;
    monitor->on_closed([&](const std::string& reason) { closed.set_value(reason); });
    std::atomic<int> shutdowns{0};
    monitor->on_event([&](const QmpEvent& event) { shutdowns += event.name() == "SHUTDOWN" ? 1 : 0; });
    monitor->command("quit", soon());
    auto reason = closed.get_future();
    CHECK(reason.wait_for(Seconds{10}) == std::future_status::ready);
    CHECK(shutdowns == 1);
    CHECK(monitor->get_event("SHUTDOWN")->data()["reason"] == "host-qmp-quit");
    CHECK_THROWS_AS(monitor->command("query-status", soon()), MonitorSocketError);
    CHECK_THROWS_AS(human->command("info status", soon()), MonitorSocketError);
    CHECK_FALSE(monitor->is_open());
    CHECK(read_file(scratch.path() / "qmp.log").find("\"execute\":\"query-status\"") != std::string::npos);
}

TEST_CASE("commands of several threads get their own replies") {
    if (no_qemu()) {
        return;
    }
    const Quiet quiet;
    const TempDirectory scratch("vt-qmp-test-");
    const RealQemu qemu(scratch.path());
    IoLoop loop;
    auto monitor = QmpMonitor::connect(loop, {"qmp1", "vm1", scratch.path() / "q", {}}, soon());
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int n = 0; n < 50; ++n) {
                const auto value = monitor->command(i % 2 == 0 ? "query-status" : "query-kvm", soon());
                right += value.contains(i % 2 == 0 ? "running" : "enabled") ? 1 : 0;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(right == 200);
}

TEST_CASE("replies out of order find their commands") {
    std::string held;
    FakeQemu qemu([&](const Json& command) -> std::string {
        if (command["execute"] == "first") {
            held = reply(command, "first");
            return {};
        }
        return reply(command, "second") + held;
    });
    auto monitor = qemu.connect();
    auto first = std::async(std::launch::async, [&] { return monitor->command("first", soon()); });
    // The second command must come after the first one: the log knows.
    auto second = monitor->command("query-noop", soon());
    while (first.wait_for(Seconds{0}) != std::future_status::ready) {
        second = monitor->command("query-noop", soon());
    }
    CHECK(first.get() == "first");
    CHECK(second == "second");
}

TEST_CASE("events are queued, awaited and handed on") {
    FakeQemu qemu([](const Json& command) { return reply(command, Json::object()); });
    auto monitor = qemu.connect();
    std::promise<double> handled;
    const auto id = monitor->on_event([&](const QmpEvent& event) { handled.set_value(event.timestamp()); });
    auto waiter = std::async(std::launch::async, [&] {
        return monitor->wait_event([](const QmpEvent& event) { return event.data().value("n", 0) == 2; },
                                   soon());
    });
    qemu.peer.say(R"({"event": "A", "data": {"n": 1}, "timestamp": {"seconds": 12, "microseconds": 500000}})"
                  "\r\n");
    CHECK(handled.get_future().get() == 12.5);
    monitor->remove_handler(id);
    qemu.peer.say("{\"event\": \"B\", \"data\": {\"n\": 2}}\r\n");
    const auto found = waiter.get();
    REQUIRE(found);
    CHECK(found->name() == "B");
    CHECK(monitor->get_events().size() == 2);
    monitor->clear_events();
    CHECK(monitor->get_events().empty());
    CHECK_FALSE(monitor->wait_event("A", Deadline::after(Seconds{0.05})));
    qemu.peer.say("{\"event\": 5, \"data\": 7, \"timestamp\": []}\r\n{\"event\": \"C\"}\r\n");
    CHECK(monitor->wait_event("C", soon())->data().empty());
}

TEST_CASE("a command without a reply times out") {
    FakeQemu qemu([](const Json&) { return std::string(); });
    auto monitor = qemu.connect();
    CHECK_THROWS_AS(monitor->command("query-status", Deadline::after(Seconds{0.1})), MonitorProtocolError);
    CHECK_FALSE(monitor->is_responsive(Deadline::after(Seconds{0.1})));
    CHECK(monitor->is_open());
}

TEST_CASE("the loss of the connection is noticed by whoever waits") {
    FakeQemu qemu([&](const Json&) -> std::string { return {}; });
    auto monitor = qemu.connect();
    std::promise<void> closed;
    monitor->on_closed([&](const std::string&) { closed.set_value(); });
    auto command = std::async(std::launch::async, [&] { monitor->command("query-status", soon()); });
    auto event = std::async(std::launch::async, [&] { monitor->wait_event("NEVER", soon()); });
    qemu.peer.hang_up();
    closed.get_future().get();
    CHECK_THROWS_AS(command.get(), MonitorSocketError);
    CHECK_THROWS_AS(event.get(), MonitorSocketError);
    bool told = false;
    monitor->on_closed([&](const std::string&) { told = true; });
    CHECK(told);
}

TEST_CASE("closing wakes whoever waits") {
    FakeQemu qemu([&](const Json&) -> std::string { return {}; });
    auto monitor = qemu.connect();
    auto event = std::async(std::launch::async, [&] { monitor->wait_event("NEVER", soon()); });
    monitor->close();
    monitor->close();
    CHECK_THROWS_AS(event.get(), MonitorSocketError);
}

TEST_CASE("hostile messages end the connection, not the runner") {
    const std::vector<std::string> attacks{
        "nonsense\r\n",
        "[1, 2]\r\n",
        "{\"return\": " + std::string(5000, '[') + "\r\n",
        std::string("\xff\xff\n"),
    };
    for (const auto& attack : attacks) {
        FakeQemu qemu([&](const Json&) { return attack; });
        auto monitor = qemu.connect();
        CHECK_THROWS_AS(monitor->command("query-status", soon()), MonitorProtocolError);
        CHECK_FALSE(monitor->is_open());
        CHECK_THROWS_AS(monitor->command("query-status", soon()), MonitorProtocolError);
    }
}

TEST_CASE("a monitor goes while what it has read is being handled") {
    FakeQemu qemu([](const Json& command) {
        const std::string event = R"({"event": "LAST", "data": {}})"
                                  "\r\n";
        return reply(command, Json::object()) + event + "what follows is no message\r\n";
    });
    auto monitor = qemu.connect();
    std::promise<void> in_handler;
    const auto* seen = monitor.get();
    monitor->on_event([&](const QmpEvent&) {
        in_handler.set_value();
        while (seen->is_open()) {  // until its destructor has begun
            std::this_thread::yield();
        }
        // Whatever the destructor does next has its chance to be done before the bad line is read.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    });
    monitor->command("query-status", soon());
    in_handler.get_future().get();
    monitor.reset();
    qemu.loop.run_there([] {});
}

TEST_CASE("monitors come and go while their QEMU floods them") {
    for (int i = 0; i < 20; ++i) {
        std::string flood;
        for (int k = 0; k < 100; ++k) {
            flood += k == 50 + i ? "no message\r\n"
                                 : R"({"event": "FLOOD", "data": {}})"
                                   "\r\n";
        }
        FakeQemu qemu([&](const Json& command) { return reply(command, Json::object()) + flood; });
        auto monitor = qemu.connect();
        monitor->on_closed([](const std::string&) {});
        try {
            monitor->command("query-status", soon());
        } catch (const MonitorProtocolError&) {  // the flood may be read before the command has returned
        }
    }
}

TEST_CASE("greetings without end, and no timeout is met while one is handled") {
    std::string flood;
    for (int k = 0; k < 2000; ++k) {
        flood += greeting;
    }
    FakeQemu qemu([&](const Json& command) { return flood + reply(command, "right") + flood; });
    auto monitor = qemu.connect();
    const auto& first = monitor->greeting();
    CHECK(monitor->command("query-status", soon()) == "right");
    CHECK(first["QMP"]["version"]["qemu"]["major"] == 7);
}

TEST_CASE("events are kept up to a limit of bytes") {
    const Json event{{"event", "BIG"}, {"data", std::string(4 << 20, 'x')}};
    FakeQemu qemu([&](const Json& command) {
        std::string all;
        for (int k = 0; k < 12; ++k) {
            all += event.dump() + "\r\n";
        }
        return all + reply(command, "done");
    });
    auto monitor = qemu.connect();
    const auto patient = Deadline::after(Seconds{300});  // 100 MB of JSON, also under a sanitizer
    CHECK(monitor->command("query-status", patient) == "done");
    const auto kept = monitor->get_events().size();
    CHECK(kept >= 6);
    CHECK(kept <= 8);
    monitor->clear_event("BIG");
    CHECK(monitor->command("query-status", patient) == "done");
    CHECK(monitor->get_events().size() == kept);
}

TEST_CASE("a command without an answer is spoken of, with the state of QEMU's process") {
    const TempDirectory scratch("vt-qmp-test-");
    if (no_qemu()) {
        return;
    }
    std::mutex mutex;
    std::string said;
    log::set_sink([&](log::Level level, std::string_view, std::string_view line) {
        if (level == log::Level::warning) {
            const std::lock_guard lock(mutex);
            said += std::string(line) + "\n";
        }
    });
    {
        const RealQemu qemu(scratch.path());
        IoLoop loop;
        MonitorAddress address{"qmp1", "vm1", scratch.path() / "q", {}};
        address.silence = Seconds{0.3};
        auto monitor = QmpMonitor::connect(loop, address, soon());
        MonitorAddress human_address{"human1", "vm1", scratch.path() / "h", {}};
        human_address.silence = Seconds{0.3};
        auto human = HumanMonitor::connect(loop, human_address, soon());
        qemu.signal(SIGSTOP);
        const auto stopped = fmt::format("QEMU (pid {}) is stopped", qemu.pid());
        CHECK_THROWS_WITH_AS(monitor->command("query-status", Deadline::after(Seconds{1})),
                             doctest::Contains(stopped.c_str()), MonitorProtocolError);
        CHECK_THROWS_WITH_AS(human->command("info status", Deadline::after(Seconds{1})),
                             doctest::Contains(stopped.c_str()), MonitorProtocolError);
        CHECK(said.find("(monitor vm1.qmp1) No answer to 'query-status' for ") != std::string::npos);
        CHECK(said.find("(monitor vm1.human1) No answer to ") != std::string::npos);
        CHECK(said.find("still waiting; " + stopped) != std::string::npos);
        qemu.signal(SIGCONT);
    }
    log::set_sink({});
}

TEST_CASE("odd but well-formed messages are survived") {
    const std::vector<std::string> odd{
        "{}\r\n",
        "{\"id\": 5, \"return\": 1}\r\n",
        "{\"id\": \"other\", \"return\": 1}\r\n",
        "{\"event\": null}\r\n",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\r\n",
        "{\"QMP\": 1}\r\n",
    };
    FakeQemu qemu([&](const Json& command) {
        std::string all;
        for (const auto& message : odd) {
            all += message;
        }
        return all + reply(command, "right");
    });
    auto monitor = qemu.connect();
    CHECK(monitor->command("query-status", soon()) == "right");
}

TEST_CASE("a reply with neither return nor error") {
    FakeQemu qemu([](const Json& command) { return Json{{"id", command["id"]}}.dump() + "\n"; });
    auto monitor = qemu.connect();
    CHECK_THROWS_AS(monitor->command("query-status", soon()), MonitorProtocolError);
}

TEST_CASE("what does not greet is no monitor") {
    FakeQemu qemu([](const Json& command) { return reply(command, 1); }, "{\"hello\": 1}\r\n");
    CHECK_THROWS_AS(QmpMonitor::connect(qemu.loop, {"qmp1", "vm1", qemu.scratch.path() / "q", {}},
                                        Deadline::after(Seconds{0.2})),
                    MonitorProtocolError);
    CHECK_THROWS_AS(QmpMonitor::connect(qemu.loop, {"qmp1", "vm1", qemu.scratch.path() / "none", {}},
                                        Deadline::after(Seconds{0.1})),
                    MonitorConnectError);
    MonitorAddress address{"qmp1", "vm1", qemu.scratch.path() / "none", {}};
    address.interrupt = std::make_shared<Interrupt>();
    address.interrupt->raise("QEMU ended with status 1");
    CHECK_THROWS_WITH_AS(QmpMonitor::connect(qemu.loop, address, soon()),
                         "Could not connect to monitor 'qmp1'    (QEMU ended with status 1)",
                         MonitorConnectError);
}

}  // namespace vt
