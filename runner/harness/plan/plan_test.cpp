// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/plan/plan.hpp"

#include "runner/harness/plan/errors.hpp"
#include "runner/harness/plan/picture.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/support/file.hpp"
#include "runner/support/unique_fd.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace vt;
using namespace vt::plan;

namespace {

namespace fs = std::filesystem;

/// A loop and a place for logs.
struct World {
    std::shared_ptr<IoLoop> loop = std::make_shared<IoLoop>();
    TempDirectory base{"plan-test-"};

    std::unique_ptr<Plan> plan(const std::string& name = "test") {
        return std::make_unique<Plan>(loop,
                                      PlanOptions{name, "Case", base.path(), base.path() / (name + ".svg")});
    }
    /// What is in the folder of logs, apart from pictures.
    std::size_t folders() const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator(base.path())) {
            count += entry.is_directory() ? 1 : 0;
        }
        return count;
    }
};

std::vector<std::string> shell(const std::string& script) {
    return {"sh", "-c", script};
}

double seconds_of(const std::function<void()>& action) {
    const auto began = std::chrono::steady_clock::now();
    action();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// The number that a process has written into a file.
pid_t pid_in(const fs::path& file) {
    return static_cast<pid_t>(std::stol(read_file(file)));
}

bool runs(pid_t pid) {
    if (::kill(pid, 0) != 0) {
        return false;
    }
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    return stat.substr(stat.rfind(')') + 2, 1) != "Z";
}

template <typename Error>
std::string message_of(Plan& plan) {
    try {
        plan.execute();
    } catch (const Error& error) {
        return error.what();
    }
    FAIL("it did not throw what it should");
    return {};
}

}  // namespace

TEST_CASE("the document's example: a process is spawned and waited for") {
    World world;
    const auto plan = world.plan("testEchoFunctionality");
    const auto process = plan->spawn({"echo", "hello world"});
    CHECK(process->state() == State::not_started);
    CHECK(process->text() == "<Process echo in state NOT-STARTED>");
    plan->wait(process, 0);
    CHECK(plan->steps().size() == 4);
    CHECK(world.folders() == 1);
    plan->execute();
    CHECK(process->state() == State::stopped);
    CHECK(world.folders() == 0);
}

TEST_CASE("a process's output is in its files, which a plan that fails leaves") {
    World world;
    const auto plan = world.plan();
    const auto process = plan->spawn(shell("echo out; echo err >&2; exit 3"));
    plan->wait(process, 0);
    const auto text = message_of<UnexpectedExitCode>(*plan);
    CHECK(text ==
          "Expected exit code 0 from <Process sh in state STOPPED>, but got 3; it ended with exit status 3, "
          "the last of its standard error: err");
    const auto dir = plan->logs().output_dir();
    CHECK(dir.filename() == "test");
    CHECK(dir.parent_path().filename().native().starts_with("Case-20"));
    CHECK(read_file(dir / "sh.stdout") == "out\n");
    CHECK(read_file(dir / "sh.stderr") == "err\n");
}

TEST_CASE("a program given by its path logs beside the others, and names do not clash") {
    World world;
    const auto plan = world.plan();
    CHECK(plan->spawn({"/bin/true"})->name() == "true");
    CHECK(plan->spawn({"true"})->name() == "true-1");
    CHECK(plan->spawn({"true"})->name() == "true-2");
    CHECK(plan->spawn_thread("f", [](const auto&) {})->name() == "f");
    CHECK(plan->spawn_thread("f", [](const auto&) {})->name() == "f-1");
    CHECK(plan->spawn_thread("f", [](const auto&) {})->name() == "f-2");
    CHECK_THROWS_WITH_AS(plan->spawn({"no-such-program-at-all"}),
                         "Command 'no-such-program-at-all' not found in the PATH.", CommandNotFound);
}

TEST_CASE("processes that were spawned in parallel end in any order") {
    World world;
    const auto plan = world.plan();
    std::vector<std::vector<std::string>> argvs;
    for (int number = 0; number < 20; ++number) {
        argvs.push_back(shell("exit " + std::to_string(number)));
    }
    std::vector<std::pair<ParticipantPtr, ExitCode>> awaited;
    int code = 0;
    for (const auto& process : plan->spawn_par(argvs)) {
        awaited.insert(awaited.begin(), {process, code++});
    }
    plan->wait_par(awaited);
    plan->execute();
}

TEST_CASE("an exit that nobody awaits fails the plan when it happens") {
    World world;
    const auto plan = world.plan();
    // It ends while the other one is waited for, not before.
    const auto lasting = plan->spawn_par({shell("sleep 0.3; echo bye >&2"), {"sleep", "600"}}).back();
    plan->wait(lasting, 0);
    std::string text;
    plan->set_timeout(Seconds{120});
    CHECK(seconds_of([&] { text = message_of<UnexpectedExit>(*plan); }) < 100);
    CHECK(text ==
          "The process <Process sh in state STOPPED> exited prematurely.; it ended with exit status 0, the "
          "last of its standard error: bye");
    CHECK(lasting->state() == State::stopped);
}

TEST_CASE("an exit between two operations is anticipated only if the next one awaits it") {
    World world;
    const auto go = world.base.path() / "go";
    const auto pipe = world.base.path() / "pipe";
    REQUIRE(::mkfifo(go.c_str(), 0600) == 0);
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    const auto made = [&](std::vector<std::string> argv) {
        const auto name = argv.front();
        return std::make_shared<Process>(world.loop, name, std::move(argv), world.base.path());
    };
    // Once it is told to, the shell ends, which is what cat waits for.
    const auto first =
        made(shell("exec 3> " + pipe.native() + "; read -r line < " + go.native() + "; exit 4"));
    const auto second = made({"cat", pipe.native()});
    const auto lasting = made({"sleep", "600"});
    const Call tell{"tell", [&] {
                        const UniqueFd fd(::open(go.c_str(), O_WRONLY | O_CLOEXEC));
                        CHECK(::write(fd.get(), "\n", 1) == 1);
                    }};
    std::vector<Step> steps{CheckExits{}, Spawn{first}, Spawn{second}, Spawn{lasting}};
    Executor executor;
    SUBCASE("it does") {
        steps.insert(steps.end(), {CheckExits{{second}}, tell, Wait{second, 0}, CheckExits{{first}},
                                   Wait{first, 4}, CheckExits{}, Kill{lasting}, Wait{lasting, {}}});
        executor.run(steps, {});
    }
    SUBCASE("it does not") {
        steps.insert(steps.end(),
                     {CheckExits{{lasting, second}}, tell, Wait{lasting, 0}, CheckExits{{second}},
                      Wait{second, 0}, CheckExits{{first}}, Wait{first, 4}});
        CHECK_THROWS_AS(executor.run(steps, {Seconds{300}}), UnexpectedExit);
        CHECK(first->exit_code() == ExitCode(4));
    }
}

TEST_CASE("what is left at the end is ended, and named") {
    World world;
    const auto plan = world.plan();
    const auto process = plan->spawn({"sleep", "600"});
    CHECK(message_of<ProcessesStillRunning>(*plan) ==
          "Processes still running at end of test: [<Process sleep in state STARTED>]");
    CHECK(process->state() == State::stopped);
    CHECK(process->status()->signal == SIGKILL);
}

TEST_CASE("kill: SIGTERM, then an end by a signal unless another one is expected") {
    World world;
    const auto plan = world.plan();
    plan->kill(plan->spawn({"sleep", "600"}));
    plan->execute();

    const auto polite = world.plan("polite");
    const auto ready = world.base.path() / "ready";
    REQUIRE(::mkfifo(ready.c_str(), 0600) == 0);
    const auto process = polite->spawn(
        shell("trap 'exit 5' TERM; echo > " + ready.native() + "; while :; do sleep 0.01; done"));
    const auto awaiting = polite->spawn({"cat", ready.native()});
    polite->wait(awaiting, 0);
    polite->kill(process, 5);
    polite->execute();
}

TEST_CASE("a process that ignores SIGTERM: the time-out says so, and nothing of it is left") {
    World world;
    const auto plan = world.plan();
    const auto ready = world.base.path() / "ready";
    REQUIRE(::mkfifo(ready.c_str(), 0600) == 0);
    const auto process =
        plan->spawn(shell("trap '' TERM; echo > " + ready.native() + "; while :; do sleep 600; done"));
    const auto awaiting = plan->spawn({"cat", ready.native()});
    plan->wait(awaiting, 0);
    plan->kill(process);
    plan->set_timeout(Seconds{0.5});
    const auto text = message_of<PlanTimeout>(*plan);
    if (text.find("<Process cat") == std::string::npos) {  // on a machine under load even cat may be late
        CHECK(text ==
              "Timed out waiting for <Process sh in state STARTED> to exit with status None after 0.5 s; it "
              "is still running, it printed nothing");
    }
    CHECK(process->state() == State::stopped);
}

TEST_CASE("a chatty process never blocks") {
    World world;
    const auto plan = world.plan();
    const auto process = plan->spawn(shell("head -c 10485760 /dev/zero; echo done >&2; exit 7"));
    plan->wait(process, 0);
    message_of<UnexpectedExitCode>(*plan);
    CHECK(fs::file_size(plan->logs().output_dir() / "sh.stdout") == 10485760);
}

TEST_CASE("grandchildren end with the plan, whoever is their parent") {
    World world;
    const auto plan = world.plan();
    const auto file = world.base.path() / "pid";
    const auto process = plan->spawn(shell(
        "setsid sh -c 'echo $$ > " + file.native() + ".new; mv " + file.native() + ".new " + file.native() +
        "; exec sleep 600' & while ! [ -e " + file.native() + " ]; do sleep 0.01; done"));
    plan->wait(process, 0);
    plan->execute();
    CHECK_FALSE(runs(pid_in(file)));
}

TEST_CASE("a thread takes part in a plan") {
    World world;
    const auto plan = world.plan();
    std::atomic<bool> ran{false};
    const auto thread = plan->spawn_thread("work", [&](const std::stop_token&) { ran = true; });
    plan->wait(thread, 0);
    plan->execute();
    CHECK(ran);
    CHECK(thread->text() == "<Thread work in state STOPPED>");
    CHECK(thread->exit_code() == ExitCode(0));
}

TEST_CASE("a thread that throws ends the plan at once, with what it threw") {
    World world;
    const auto plan = world.plan();
    const auto process = plan->spawn({"sleep", "600"});
    const auto thread = plan->spawn_thread("work", [](const auto&) { throw std::runtime_error("it broke"); });
    plan->wait(process, 0);
    plan->wait(thread, 0);
    CHECK_THROWS_WITH_AS(plan->execute(), "it broke", std::runtime_error);
    CHECK(process->state() == State::stopped);
}

TEST_CASE("a thread is asked to end") {
    World world;
    const auto plan = world.plan();
    const auto heeding = [](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::this_thread::yield();
        }
    };
    plan->kill(plan->spawn_thread("killed", heeding));
    plan->execute();
    const auto left = world.plan("left");
    const auto thread = left->spawn_thread("left", heeding);
    message_of<ProcessesStillRunning>(*left);
    CHECK(thread->state() == State::stopped);
}

TEST_CASE("a plan as a table: before, with times after, and where it failed") {
    World world;
    const auto plan = world.plan();
    const auto process = plan->spawn({"false"});
    plan->wait(process, 0);
    plan->spawn({"true"});
    const auto before = plan->table();
    CHECK(before.find("step  operator     who    what\n") == 0);
    CHECK(before.find("   4  wait         false  exit code 0\n") != std::string::npos);
    message_of<UnexpectedExitCode>(*plan);
    const auto after = plan->table();
    CHECK(after.find("began     took") != std::string::npos);
    CHECK(after.find(" s  failed s  wait ") != std::string::npos);
    CHECK(after.find("   6  never ") != std::string::npos);
}

TEST_CASE("the timeline has a bar for each process, and is well-formed whatever their names are") {
    World world;
    const auto plan = world.plan();
    plan->wait(plan->spawn(shell("exit 0 # <&\">")), 0);
    plan->wait(plan->spawn({"false"}), 1);
    plan->kill(plan->spawn({"sleep", "600"}));
    plan->execute();
    const auto picture = read_file(world.base.path() / "test.svg");
    CHECK(picture.find("<svg xmlns=\"http://www.w3.org/2000/svg\"") != std::string::npos);
    CHECK(picture.find("Case: test") != std::string::npos);
    CHECK(picture.find("# &lt;&amp;&quot;&gt;") != std::string::npos);
    CHECK(picture.find(">exit code 0, ") != std::string::npos);
    CHECK(picture.find(">exit code 1, ") != std::string::npos);
    CHECK(picture.find(">ended by a signal, ") != std::string::npos);
    std::size_t bars = 0;
    for (auto at = picture.find("rx=\"2\""); at != std::string::npos; at = picture.find("rx=\"2\"", at + 1)) {
        ++bars;
    }
    CHECK(bars == 3);
}

TEST_CASE("what cannot be is refused with a sentence") {
    World world;
    const auto plan = world.plan();
    auto& executor = plan->executor();
    const auto process = plan->spawn({"sleep", "600"});
    CHECK_THROWS_WITH_AS(
        executor.wait(process, 0, Deadline::never()),
        "<Process sleep in state NOT-STARTED> is none of the plan's running processes: it was "
        "not spawned, or has been waited for",
        Error);
    executor.spawn(process);
    CHECK_THROWS_WITH_AS(executor.spawn(process),
                         "<Process sleep in state STARTED> has been spawned before; a plan spawns each "
                         "process once",
                         Error);
    executor.end_all();
    CHECK_THROWS_WITH_AS(process->start(),
                         "<Process sleep in state STOPPED> has been started before; a process of a plan is "
                         "started once",
                         Error);
    CHECK_THROWS_WITH_AS(process->kill(),
                         "<Process sleep in state STOPPED> cannot be killed, as it does not run", Error);
}
