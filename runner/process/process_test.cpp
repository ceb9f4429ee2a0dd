// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/process.hpp"

#include "runner/support/fault.hpp"
#include "runner/support/file.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iterator>
#include <thread>

#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vt::process;
using vt::Deadline;
using vt::Seconds;

namespace {

Command shell(const std::string& script) {
    Command command;
    command.argv = {"sh", "-c", script};
    return command;
}

const auto soon = [] { return Deadline::after(Seconds(20)); };

struct Quiet {
    Quiet() {
        vt::log::set_sink([](auto, auto, auto) {});
    }
    ~Quiet() { vt::log::set_sink({}); }
};

}  // namespace

TEST_CASE_FIXTURE(Quiet, "output, errors and status come back") {
    const auto completed = run(shell("echo out; echo err >&2; exit 3"), soon());
    CHECK(completed.out == "out\n");
    CHECK(completed.err == "err\n");
    CHECK(completed.status.code == 3);
    CHECK(completed.status.text() == "exit status 3");
}

TEST_CASE_FIXTURE(Quiet, "merged output keeps its order") {
    auto command = shell("echo a; echo b >&2; echo c");
    command.merge_stderr = true;
    CHECK(run(command, soon()).out == "a\nb\nc\n");
}

TEST_CASE_FIXTURE(Quiet, "input larger than a pipe goes in while output comes out") {
    Command command;
    command.argv = {"cat"};
    command.input = std::string(1'000'000, 'x');
    CHECK(run(command, soon()).out == command.input);
}

TEST_CASE_FIXTURE(Quiet, "a child that does not read its input is no error") {
    Command command;
    command.argv = {"true"};
    command.input = std::string(1'000'000, 'x');
    ::signal(SIGPIPE, SIG_IGN);
    CHECK(run(command, soon()).status.ok());
}

TEST_CASE_FIXTURE(Quiet, "only the end of a flood is kept") {
    const auto completed = run(shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end"), soon(), 1000);
    CHECK(completed.out.size() == 1000);
    CHECK(completed.out.ends_with("end\n"));
}

TEST_CASE_FIXTURE(Quiet, "a missing program and a missing directory are named") {
    Command command;
    command.argv = {"no-such-program-anywhere"};
    CHECK_THROWS_WITH_AS(run(command, soon()), doctest::Contains("no-such-program-anywhere is not there"),
                         NotFoundError);
    command.argv = {"/etc/passwd"};
    CHECK_THROWS_AS(run(command, soon()), NotFoundError);
    command = shell("true");
    command.working_dir = "/no/such/dir";
    CHECK_THROWS_WITH_AS(run(command, soon()), doctest::Contains("No such file"), vt::SystemError);
}

TEST_CASE_FIXTURE(Quiet, "a deadline kills the whole group and says what was seen") {
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_WITH_AS(run(shell("echo before; sleep 50 & sleep 50"), Deadline::after(Seconds(0.2))),
                         doctest::Contains("the last it printed: before"), vt::TimeoutError);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE_FIXTURE(Quiet, "a grandchild that keeps the pipe open is not awaited") {
    const auto begin = std::chrono::steady_clock::now();
    CHECK(run(shell("sleep 30 & echo $!"), soon()).status.ok());
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10));
}

TEST_CASE_FIXTURE(Quiet, "check() tells the command, its status and its words") {
    CHECK_THROWS_WITH_AS(check(shell("echo broken >&2; exit 1"), soon()),
                         doctest::Contains("exit status 1: broken"), CommandError);
}

TEST_CASE_FIXTURE(Quiet, "environment and working directory") {
    auto command = shell("echo $VT_TEST; pwd");
    command.environment = {{"VT_TEST", "value"}};
    command.working_dir = "/";
    CHECK(run(command, soon()).out == "value\n/\n");
}

TEST_CASE_FIXTURE(Quiet, "a child inherits nothing but its three streams") {
    CHECK(run(shell("ls /proc/self/fd | wc -l"), soon()).out == "4\n");  // and ls's own
}

TEST_CASE_FIXTURE(Quiet, "a child passes its lines on and is told to go") {
    std::vector<std::string> lines;
    Child child(shell("echo one; printf two; sleep 50"), [&](auto line) { lines.emplace_back(line); });
    CHECK(child.running());
    CHECK_THROWS_AS(child.wait(Deadline::after(Seconds(0.3))), vt::TimeoutError);
    const auto status = child.terminate(Seconds(5));
    CHECK(status.signal == SIGTERM);
    CHECK(status.text() == "killed by SIGTERM");
    CHECK(lines == std::vector<std::string>{"one", "two"});
    CHECK_FALSE(child.running());
}

TEST_CASE_FIXTURE(Quiet, "one that will not hear is killed") {
    std::string seen;
    Child child(shell("trap '' TERM; echo ready; while :; do sleep 1; done"),
                [&](auto line) { seen = line; });
    while (seen.empty()) {
        CHECK_THROWS_AS(child.wait(Deadline::after(Seconds(0.05))), vt::TimeoutError);
    }
    CHECK(child.terminate(Seconds(0.2)).signal == SIGKILL);
}

TEST_CASE_FIXTURE(Quiet, "a child started on a thread outlives that thread, not the process") {
    std::optional<Child> child;
    std::thread([&] { child.emplace(shell("sleep 50")); }).join();
    CHECK_THROWS_AS(child->wait(Deadline::after(Seconds(0.2))), vt::TimeoutError);
    CHECK(child->running());

    int pipe_ends[2];
    REQUIRE(::pipe(pipe_ends) == 0);
    const pid_t owner = ::fork();
    if (owner == 0) {
        const Child orphan(shell("sleep 50"));
        const auto id = vt::ProcessId::of(orphan.pid());
        [[maybe_unused]] const auto count = ::write(pipe_ends[1], &id, sizeof id);
        ::raise(SIGKILL);
    }
    vt::ProcessId orphan;
    REQUIRE(::read(pipe_ends[0], &orphan, sizeof orphan) == sizeof orphan);
    ::waitpid(owner, nullptr, 0);
    for (int i = 0; i < 100 && orphan.alive(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK_FALSE(orphan.alive());
}

TEST_CASE_FIXTURE(Quiet, "descendants that were orphaned are found and killed, the spared one is not") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const Child spared(shell("sleep 50"));
    const auto out = run(shell("setsid sh -c 'sleep 50 & sleep 51' & echo $!"), soon()).out;
    CHECK(kill_descendants({spared.pid()}, soon()) >= 1);
    CHECK(vt::ProcessId::of(spared.pid()).alive());
    CHECK(kill_descendants({spared.pid()}, soon()) == 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_CASE_FIXTURE(Quiet, "a start of which any step fails leaves neither a child nor a descriptor") {
    const auto open_fds = [] {
        return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                             std::filesystem::directory_iterator());
    };
    CHECK(run(shell("true"), soon()).status.ok());
    const auto before = open_fds();
    for (const auto point :
         {vt::fault::Point::spawn, vt::fault::Point::spawned, vt::fault::Point::descriptor}) {
        // The first, the second, ... step of that kind fails, until there is none left that could.
        for (int step = 0;; ++step) {
            int seen = 0;
            const vt::fault::Injected faults(
                [&](auto at, auto) { return at == point && seen++ == step ? EMFILE : 0; });
            bool failed = false;
            try {
                run(shell("exec sleep 50"), Deadline::after(Seconds(0)));
            } catch (const vt::SystemError& error) {
                CHECK(error.errnum() == EMFILE);
                failed = true;
            } catch (const vt::TimeoutError&) {
            }
            try {
                const Child child(shell("exec sleep 50"), [](auto) {});
            } catch (const vt::SystemError&) {
            }
            CHECK(open_fds() == before);
            CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);
            CHECK(errno == ECHILD);
            if (!failed) {
                CHECK(step > 0);
                break;
            }
        }
    }
}
