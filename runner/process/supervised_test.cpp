// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/supervised.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/spawn.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

using namespace vt::process;
using vt::Deadline;
using vt::IoLoop;
using vt::ProcessId;
using vt::Seconds;

namespace {

struct Fixture {
    Fixture() : dir("vt-supervised-") {
        vt::log::set_sink([](auto, auto, auto) {});
    }
    ~Fixture() { vt::log::set_sink({}); }

    std::filesystem::path file(const char* name) const { return dir.path() / name; }

    vt::TempDirectory dir;
    IoLoop loop;
};

const auto soon = [] { return Deadline::after(Seconds(60)); };

Description shell(const std::string& script) {
    Description description;
    description.name = "sh";
    description.command.argv = {"sh", "-c", script};
    return description;
}

/// The process whose number \p path tells once it is whole.
ProcessId told_by(const std::filesystem::path& path) {
    return ProcessId::of(std::stoi(vt::read_file(path)));
}

}  // namespace

TEST_CASE_FIXTURE(Fixture, "output goes to files, handlers and last lines, and its end is noticed") {
    auto description = shell("echo one; echo two >&2; printf three; exit 7");
    description.out.file = file("out");
    description.err.file = file("err");
    std::mutex mutex;
    std::vector<std::string> lines;
    std::string bytes;
    description.out.on_line = [&](auto line) {
        const std::lock_guard lock(mutex);
        lines.emplace_back(line);
    };
    description.err.on_bytes = [&](auto more) {
        const std::lock_guard lock(mutex);
        bytes += more;
    };
    std::atomic<int> code{-1};
    description.on_exit = [&](const ExitStatus& status) { code = status.code; };
    const Supervised process(loop, description);
    CHECK(process.wait(soon()).code == 7);
    CHECK(code == 7);
    CHECK_FALSE(process.running());
    const std::lock_guard lock(mutex);
    CHECK(lines == std::vector<std::string>{"one", "three"});
    CHECK(bytes == "two\n");
    CHECK(vt::read_file(file("out")) == "one\nthree");
    CHECK(vt::read_file(file("err")) == "two\n");
    CHECK(process.last_lines(Stream::out) == lines);
    CHECK(process.report().find("exit status 7") != std::string::npos);
    CHECK(process.report().find("standard error: two") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "merged output keeps its order, a file is continued when asked") {
    std::ofstream(file("out")) << "before\n";
    auto description = shell("echo a; echo b >&2; echo c");
    description.command.merge_stderr = true;
    description.out.file = file("out");
    description.out.append = true;
    const Supervised process(loop, description);
    process.wait(soon());
    CHECK(vt::read_file(file("out")) == "before\na\nb\nc\n");
}

TEST_CASE_FIXTURE(Fixture, "a chatty process never blocks, and only its last lines are kept") {
    auto description = shell("yes 0123456789abcdef | head -c 9999995; yes x | head -n 1000000 >&2; echo end");
    description.out.kept_lines = 3;
    std::atomic<std::size_t> count{0};
    description.out.on_bytes = [&](auto bytes) { count += bytes.size(); };
    const Supervised process(loop, description);
    CHECK(process.wait(soon()).ok());
    CHECK(count == 9'999'999);
    CHECK(process.last_lines(Stream::out).size() == 3);
    CHECK(process.last_lines(Stream::out).back() == "end");
    CHECK(process.last_lines(Stream::err).size() == 50);
}

TEST_CASE_FIXTURE(Fixture, "a handler that throws and a full disk do not stop the reading") {
    auto description = shell("for i in 1 2 3; do echo $i; done");
    description.out.file = "/dev/full";
    std::atomic<int> count{0};
    description.out.on_line = [&](auto) {
        ++count;
        throw std::runtime_error("no");
    };
    const Supervised process(loop, description);
    CHECK(process.wait(soon()).ok());
    CHECK(count == 3);
}

TEST_CASE_FIXTURE(Fixture, "input comes from a file, a text or a pipe") {
    std::ofstream(file("in")) << "from a file";
    const auto said = [&](Description description) {
        description.command.argv = {"cat"};
        description.out.file = file("out");
        Supervised process(loop, description);
        if (description.input.kind == InputFrom::Kind::pipe) {
            process.write("from ", soon());
            process.write(std::string(300'000, 'x'), soon());
            process.close_input();
        }
        process.wait(soon());
        return vt::read_file(file("out"));
    };
    Description description;
    CHECK(said(description).empty());
    description.input = {InputFrom::Kind::file, file("in")};
    CHECK(said(description) == "from a file");
    description.input = {InputFrom::Kind::text, {}};
    description.command.input = "from a text";
    CHECK(said(description) == "from a text");
    description.input = {InputFrom::Kind::pipe, {}};
    CHECK(said(description) == "from " + std::string(300'000, 'x'));
}

TEST_CASE_FIXTURE(Fixture, "writing to one that does not read any more is an error, not a signal") {
    auto description = shell("exec <&-; echo closed; sleep 60");
    description.input.kind = InputFrom::Kind::pipe;
    description.ready = ReadyLine{"closed", ReadyLine::In::out, {}};
    Supervised process(loop, description);
    process.wait_ready(soon());
    CHECK_THROWS_AS(process.write("x", soon()), vt::SystemError);
}

TEST_CASE_FIXTURE(Fixture, "ready when a line matches, on either stream or in a file") {
    auto description = shell("echo starting; echo 'listening on 12' >&2; sleep 60");
    description.ready = ReadyLine{"listening on \\d+", ReadyLine::In::any, {}};
    Supervised process(loop, description);
    process.wait_ready(soon());
    process.wait_ready(Deadline::after(Seconds(0)));  // it has been

    description.ready = ReadyLine{"listening", ReadyLine::In::out, {}};
    Supervised other(loop, description);
    CHECK_THROWS_WITH_AS(other.wait_ready(Deadline::after(Seconds(0.2))),
                         doctest::Contains("a line matching 'listening'"), vt::TimeoutError);

    description =
        shell("mkdir log; echo a > log/x; printf 'rea' >> log/x; sleep 0.1; echo dy >> log/x; sleep 60");
    description.command.working_dir = dir.path();
    description.ready = ReadyLine{"^ready$", ReadyLine::In::file, file("log") / "x"};
    Supervised logging(loop, description);
    logging.wait_ready(soon());
    CHECK(vt::read_file(file("log") / "x") == "a\nready\n");

    description.ready = ReadyLine{"(", ReadyLine::In::any, {}};
    CHECK_THROWS_WITH_AS(Supervised(loop, description), doctest::Contains("regular expression"), vt::Error);
}

TEST_CASE_FIXTURE(Fixture, "ready when a file exists, when a question is answered") {
    auto description = shell("sleep 0.1; mkdir sub; : > sub/there; sleep 60");
    description.command.working_dir = dir.path();
    description.ready = ReadyFile{file("sub") / "there"};
    Supervised process(loop, description);
    process.wait_ready(soon());
    CHECK(std::filesystem::exists(file("sub") / "there"));

    int asked = 0;
    description = shell("sleep 60");
    description.ready = ReadyAnswer{[&](const Deadline&) { return ++asked == 3; }, Seconds(0.01), "three"};
    Supervised answering(loop, description);
    answering.wait_ready(soon());
    CHECK(asked == 3);
}

TEST_CASE_FIXTURE(Fixture, "ready when a socket accepts") {
    const char* server = R"(
import socket, sys, time
s = socket.socket(socket.AF_UNIX if sys.argv[1] == 'unix' else socket.AF_INET)
s.bind(sys.argv[2] if sys.argv[1] == 'unix' else ('127.0.0.1', int(sys.argv[2])))
time.sleep(0.1)
s.listen()
time.sleep(60)
)";
    Description description;
    const auto path = file("socket");
    description.command.argv = {"/usr/bin/python3", "-c", server, "unix", path.string()};
    description.ready = ReadySocket{path, {}, 0};
    Supervised unix_server(loop, description);
    unix_server.wait_ready(soon());

    const vt::UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &size);
    const auto port = ntohs(address.sin_port);
    const int reuse = 1;
    ::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    description.command.argv = {"/usr/bin/python3", "-c",
                                "import socket, time\n"
                                "s = socket.socket()\n"
                                "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                                "s.bind(('127.0.0.1', " +
                                    std::to_string(port) +
                                    "))\n"
                                    "s.listen()\n"
                                    "time.sleep(60)\n"};
    description.ready = ReadySocket{{}, "localhost", port};
    Supervised tcp_server(loop, description);
    tcp_server.wait_ready(soon());
}

TEST_CASE_FIXTURE(Fixture, "one that ends before it is ready is told of at once, with its last words") {
    auto description = shell("echo 'no such device' >&2; exit 2");
    description.ready = ReadyLine{"ready", ReadyLine::In::any, {}};
    Supervised process(loop, description);
    CHECK_THROWS_WITH_AS(process.wait_ready(soon()), doctest::Contains("no such device"), EndedError);

    description = shell("exit 3");
    description.ready = ReadyFile{"/no/such/directory/file"};
    Supervised other(loop, description);
    CHECK_THROWS_WITH_AS(other.wait_ready(soon()), doctest::Contains("exit status 3"), EndedError);

    description.command.argv = {"/no/such/program"};
    CHECK_THROWS_WITH_AS(Supervised(loop, description), doctest::Contains("/no/such/program"), NotFoundError);
}

TEST_CASE_FIXTURE(Fixture, "an interrupt ends the waits, the process goes on") {
    auto description = shell("sleep 60");
    description.ready = ReadyLine{"never", ReadyLine::In::any, {}};
    Supervised process(loop, description);
    vt::Interrupt interrupt;
    std::thread raiser([&] { interrupt.raise("the test is over"); });
    CHECK_THROWS_WITH_AS(process.wait_ready(soon(), &interrupt), "the test is over", vt::InterruptedError);
    CHECK_THROWS_AS(process.wait(soon(), &interrupt), vt::InterruptedError);
    CHECK_THROWS_AS(await_any_end({&process}, soon(), &interrupt), vt::InterruptedError);
    raiser.join();
    CHECK(process.running());
}

TEST_CASE_FIXTURE(Fixture, "any of several that has ended is found") {
    const Supervised one(loop, shell("sleep 60"));
    auto description = shell("read -r line");
    description.input.kind = InputFrom::Kind::pipe;
    Supervised two(loop, description);
    CHECK_FALSE(await_any_end({&one, &two}, Deadline::after(Seconds(0.05))));
    std::thread writer([&] { two.write("go\n", soon()); });
    CHECK(await_any_end({&one, &two}, soon()) == 1);
    writer.join();
    CHECK_FALSE(await_any_end({}, Deadline::after(Seconds(0.01))));
}

TEST_CASE_FIXTURE(Fixture, "stopping: by its signal, by SIGKILL after the grace, also when it is paused") {
    auto description = shell("trap 'echo bye; exit 4' USR1; echo up; while :; do sleep 0.05; done");
    description.ready = ReadyLine{"up", ReadyLine::In::out, {}};
    description.stop.signal = SIGUSR1;
    description.stop.whole_group = false;
    Supervised polite(loop, description);
    polite.wait_ready(soon());
    polite.signal(SIGSTOP, false);
    CHECK(polite.stop(soon()).code == 4);
    CHECK(polite.last_lines(Stream::out).back() == "bye");
    CHECK(polite.stop(soon()).code == 4);

    description = shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    description.ready = ReadyLine{"up", ReadyLine::In::out, {}};
    description.stop.grace = Seconds(0.1);
    Supervised stubborn(loop, description);
    stubborn.wait_ready(soon());
    CHECK(stubborn.stop(soon()).signal == SIGKILL);
    CHECK_THROWS_AS(Supervised(loop, shell("sleep 60")).wait(Deadline::after(Seconds(0.05))),
                    vt::TimeoutError);
}

TEST_CASE_FIXTURE(Fixture,
                  "nothing is left: neither the group nor what left it, its session and its parent") {
    // A daemon without an environment, forked twice, in a session of its own.
    auto description = shell(
        "sleep 61 & echo $! > grouped; setsid env -i sh -c 'sleep 62 & echo $! > daemon; exit' & wait $!; "
        "echo up; [ -n \"$GO_ON\" ] && sleep 60");
    description.command.working_dir = dir.path();
    description.ready = ReadyLine{"up", ReadyLine::In::out, {}};
    for (const bool goes_on : {true, false}) {
        description.command.environment["GO_ON"] = goes_on ? "1" : "";
        ProcessId daemon;
        ProcessId grouped;
        ProcessId own;
        {
            Supervised process(loop, description);
            process.wait_ready(soon());
            if (!goes_on) {
                process.wait(soon());
            }
            daemon = told_by(file("daemon"));
            grouped = told_by(file("grouped"));
            own = process.id();
            CHECK(daemon.alive());
            CHECK(grouped.alive());
            CHECK(own.alive() == goes_on);
        }
        CHECK_FALSE(daemon.alive());
        CHECK_FALSE(grouped.alive());
        CHECK_FALSE(own.alive());
    }
}

TEST_CASE_FIXTURE(Fixture, "a neighbour's and the task's own mark are left alone") {
    const Supervised neighbour(loop, shell("sleep 60"));
    rlimit before{};
    ::getrlimit(RLIMIT_LOCKS, &before);
    {
        auto description = shell("grep 'Max file locks' /proc/self/limits");
        Supervised process(loop, description);
        process.wait(soon());
        const auto lines = process.last_lines(Stream::out);
        REQUIRE(lines.size() == 1);
        process.kill();
    }
    CHECK(neighbour.running());
    rlimit after{};
    ::getrlimit(RLIMIT_LOCKS, &after);
    CHECK(after.rlim_cur == before.rlim_cur);
    CHECK(after.rlim_max == before.rlim_max);
}

TEST_CASE_FIXTURE(Fixture, "a keep-alive that fails ends it and is the reason") {
    auto description = shell("sleep 60");
    KeepAlive keep_alive;
    keep_alive.interval = Seconds(0.01);
    keep_alive.failures = 2;
    std::atomic<int> probes{0};
    keep_alive.probe = [&](const Deadline&) {
        if (++probes == 4) {
            throw std::runtime_error("connection refused");
        }
        return probes == 1 || probes == 3;
    };
    std::mutex mutex;
    std::string reason;
    keep_alive.on_failure = [&](const std::string& text) {
        const std::lock_guard lock(mutex);
        reason = text;
    };
    description.keep_alive = keep_alive;
    {
        const Supervised process(loop, description);
        CHECK(process.wait(soon()).signal == SIGKILL);
        CHECK(process.report().find("failed its keep-alive 2 times") != std::string::npos);
    }
    CHECK(probes == 5);
    CHECK(reason.find("2 times") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "limits, environment and directory are as described") {
    auto description = shell("ulimit -n; ulimit -c; env | grep -v -e '^_=' -e '^PWD=' -e '^SHLVL='; pwd");
    description.command.working_dir = "/";
    description.command.exact_environment = true;
    description.command.environment = {{"ONLY", "this"}, {"PATH", "/usr/bin:/bin"}};
    description.limits.nofile = 77;
    description.limits.core = 0;
    const Supervised process(loop, description);
    CHECK(process.wait(soon()).ok());
    auto lines = process.last_lines(Stream::out);
    std::sort(lines.begin(), lines.end());
    CHECK(lines == std::vector<std::string>{"/", "0", "77", "ONLY=this", "PATH=/usr/bin:/bin"});
}

TEST_CASE_FIXTURE(Fixture, "a program under a prefix runs under it") {
    auto description = shell("echo inside");
    description.prefix = {"env", "PREFIXED=1"};
    const Supervised process(loop, description);
    CHECK(process.wait(soon()).ok());
    CHECK(under_gdbserver("localhost:7777") == std::vector<std::string>{"gdbserver", "localhost:7777"});
    CHECK(under_valgrind({"-q"}) == std::vector<std::string>{"valgrind", "-q"});
    CHECK(under_gdb().back() == "--args");
}

TEST_CASE_FIXTURE(Fixture, "many at once, used by several threads, destroyed from any") {
    constexpr int threads = 4;
    std::vector<std::thread> workers;
    std::atomic<int> lines{0};
    for (int i = 0; i < threads; ++i) {
        workers.emplace_back([&] {
            for (int round = 0; round < 5; ++round) {
                auto description = shell("echo up; cat > /dev/null");
                description.input.kind = InputFrom::Kind::pipe;
                description.ready = ReadyLine{"up", ReadyLine::In::out, {}};
                description.out.on_line = [&](auto) { ++lines; };
                auto process = std::make_unique<Supervised>(loop, description);
                std::thread other([&] {
                    process->wait_ready(soon());
                    process->close_input();
                });
                std::thread third([&] {
                    while (process->running()) {
                        process->signal(SIGCONT);
                        process->report();
                        await_any_end({process.get()}, Deadline::after(Seconds(0.001)));
                    }
                });
                process->wait(soon());
                other.join();
                third.join();
            }
        });
    }
    for (auto& worker : workers) {
        worker.join();
    }
    CHECK(lines == threads * 5);
}

TEST_CASE_FIXTURE(Fixture, "a start that fails at any descriptor leaves no process and no descriptor") {
    const auto open_fds = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                             std::filesystem::directory_iterator());
    };
    { const Supervised warm_up(loop, shell("sleep 60")); }
    const auto before = open_fds();
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    auto description = shell("echo $$ >> pids; exec sleep 300");
    description.command.working_dir = dir.path();
    int failed = 0;
    for (rlim_t most = 3;; ++most) {
        rlimit few = limit;
        few.rlim_cur = most;
        ::setrlimit(RLIMIT_NOFILE, &few);
        std::optional<Supervised> process;
        try {
            process.emplace(loop, description);
        } catch (const std::exception&) {
            ++failed;
        }
        ::setrlimit(RLIMIT_NOFILE, &limit);
        if (process) {
            break;
        }
        REQUIRE(open_fds() == before);
    }
    CHECK(failed > 5);
    std::ifstream pids(file("pids"));
    for (pid_t pid = 0; pids >> pid;) {
        CHECK(::kill(pid, 0) != 0);
    }
}
