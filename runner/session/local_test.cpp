// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/local.hpp"

#include "runner/io/io_loop.hpp"

#include <algorithm>
#include <csignal>

#include <doctest/doctest.h>
#include <unistd.h>

using namespace vt;

namespace {

const Seconds patience{20};

ShellOptions bare_shell() {
    ShellOptions options;
    options.prompt = R"(^vt-prompt\$ $)";
    return options;
}

constexpr const char* shell = "PS1='vt-prompt$ ' exec /bin/sh -i";

}  // namespace

TEST_CASE("a local shell is a session like any other") {
    IoLoop loop;
    auto [session, process] = local_session(loop, shell, bare_shell());
    session->read_up_to_prompt(patience);
    CHECK(session->cmd("echo hello", {.timeout = patience}) == "hello\n");
    CHECK(session->cmd_status_output("(echo x; exit 3)", {.timeout = patience}) ==
          std::pair<int, std::string>(3, "x\n"));
    session->sendline("sh -c 'echo started; exec sleep 60'");
    session->read_until_output_matches({"started"}, patience);
    session->sendcontrol('c');
    session->read_up_to_prompt(patience);
    CHECK(session->is_alive());
    session->sendline("exit 5");
    CHECK(process.wait(Deadline::after(patience)) == 5);
    CHECK_FALSE(session->is_alive());
    CHECK(session->get_status() == 5);
    CHECK_THROWS_AS(session->cmd("echo late"), ShellProcessTerminatedError);
}

TEST_CASE("a program's output is whole, its end is noticed, its status is known") {
    IoLoop loop;
    auto made = local_session(
        loop, "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; printf end; exit 7", {});
    CHECK(made.process.wait(Deadline::after(patience)) == 7);
    const auto output = made.process.output();
    CHECK(output.ends_with("line 19999\nend"));
    CHECK(std::count(output.begin(), output.end(), '\n') == 20000);

    auto killed = local_session(loop, "kill -TERM $$", {});
    CHECK(killed.process.wait(Deadline::after(patience)) == 128 + SIGTERM);
}

TEST_CASE("the end of a session is the end of its programs") {
    IoLoop loop;
    auto made = local_session(loop, "sleep 100 & echo $!; wait", {});
    const auto match = made.session->read_until_output_matches({R"(\d+\n)"}, patience);
    const pid_t child = std::stoi(match.output);
    CHECK(::kill(child, 0) == 0);
    made.session.reset();
    CHECK(made.process.wait(Deadline::after(patience)) == -SIGKILL);
    made.process.kill(SIGTERM);  // nobody is there to get it
}
