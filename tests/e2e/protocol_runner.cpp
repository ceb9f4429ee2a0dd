// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A runner for the protocol's tests: its body does what the runnable's keyword arguments say, bad things
/// above all.
///
/// It is the real supervisor around a body without virtual machines, so that crashes, hangs and floods can be
/// had cheaply and to the point.
#include "runner/nrunner/protocol.hpp"
#include "runner/support/strings.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using vt::nrunner::BodyContext;
using vt::nrunner::Status;
using vt::nrunner::TestResult;
using Arguments = std::map<std::string, std::string>;

void sleep_for(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

std::size_t count(const Arguments& arguments) {
    const auto found = arguments.find("count");
    return found == arguments.end() ? 1 : std::stoul(found->second);
}

/// A process that keeps the body's pipes, in a session of its own; its pid goes to the output.
void leave_daemon() {
    if (::fork() == 0) {
        ::setsid();
        if (::fork() == 0) {
            ::execlp("sleep", "sleep", "1000", nullptr);
        }
        ::_exit(0);
    }
    ::execlp("sh", "sh", "-c", "sleep 1000 & echo child $!; setsid sleep 1000 & echo child $!; exit 0",
             nullptr);
}

void die(const std::string& how) {
    if (how == "segfault") {
        ::raise(SIGSEGV);
    } else if (how == "abort") {
        std::abort();
    } else if (how == "kill") {
        ::kill(0, SIGKILL);
    } else if (how == "exit") {
        ::_exit(0);
    } else if (how == "exit3") {
        std::exit(3);
    }
}

void write_all_forms(BodyContext& context, const Arguments& arguments) {
    const auto times = count(arguments);
    const auto found = arguments.find("text");
    const auto text = found == arguments.end() ? std::string("x") : found->second;
    std::string long_text;
    for (std::size_t i = 0; i < times; ++i) {
        long_text += text;
    }
    if (arguments.contains("to_log")) {
        context.channel().log(vt::log::Level::info, "avocado.test", long_text);
    }
    if (arguments.contains("to_stdout")) {
        std::fwrite(long_text.data(), 1, long_text.size(), stdout);
    }
    if (arguments.contains("to_stderr")) {
        std::fwrite(long_text.data(), 1, long_text.size(), stderr);
    }
    if (arguments.contains("to_whiteboard")) {
        context.channel().whiteboard(long_text);
    }
    if (const auto path = arguments.find("to_file"); path != arguments.end()) {
        context.channel().file(path->second, long_text);
    }
    if (arguments.contains("to_output")) {
        context.channel().output(long_text);
    }
}

void send_garbage(int fd) {
    for (const std::string packet : {"L", "Lxxxxxxxxxxx", "?what", "D\1\0\0\0Z"}) {
        ::send(fd, packet.data(), packet.size(), 0);
    }
}

TestResult body(BodyContext& context) {
    Arguments arguments;
    for (const auto& argument : context.task().runnable.kwargs) {
        arguments[argument.key] = argument.value;
    }
    if (arguments.contains("limit")) {
        context.channel().time_limit(vt::Seconds(std::stod(arguments["limit"])), "test_timeout");
    }
    if (arguments.contains("on_stop")) {
        const auto seconds = std::stod(arguments["on_stop"]);
        context.on_stop([&context, seconds](const std::string& reason) {
            context.channel().log(vt::log::Level::info, "avocado.test", "stopping: " + reason);
            sleep_for(seconds);
            context.channel().log(vt::log::Level::info, "avocado.test", "stopped");
        });
    }
    if (arguments.contains("ways_in")) {
        context.on_pause([text = arguments["ways_in"]] { return text; },
                         [] { vt::log::info("took things back"); });
    }
    vt::log::info("argument count {}", arguments.size());
    write_all_forms(context, arguments);
    if (arguments.contains("repeat_log")) {
        for (auto left = std::stoul(arguments["repeat_log"]); left > 0; --left) {
            context.channel().log(vt::log::Level::info, "avocado.test", "again");
        }
    }
    if (arguments.contains("garbage")) {
        send_garbage(context.channel().fd());
    }
    if (arguments.contains("daemons")) {
        if (::fork() == 0) {
            leave_daemon();
        }
        sleep_for(0.3);
    }
    if (arguments.contains("child")) {
        if (::fork() == 0) {
            ::execlp("sleep", "sleep", "1000", nullptr);
        }
    }
    if (arguments.contains("deadline")) {
        const auto deadline = vt::Deadline::after(vt::Seconds(std::stod(arguments["deadline"])));
        vt::log::info("waiting until the deadline");
        while (!deadline.expired()) {
            ::poll(nullptr, 0, deadline.poll_timeout_ms());
        }
        vt::log::info("the deadline has passed");
    }
    if (arguments.contains("sleep")) {
        sleep_for(std::stod(arguments["sleep"]));
    }
    die(arguments["die"]);
    if (arguments.contains("throw")) {
        throw std::runtime_error(arguments["throw"]);
    }
    const auto status =
        vt::nrunner::status_from_name(arguments.contains("result") ? arguments["result"] : "pass");
    return {status.value_or(Status::error),
            arguments["reason"],
            arguments["fail_class"],
            arguments["traceback"],
            {}};
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    const auto status =
        vt::nrunner::run_protocol_command(argv[0], words, {{"vt", "avocado-vt"}, {"vt.type"}}, body);
    if (!status) {
        fmt::print(stderr, "only the protocol's commands are here\n");
    }
    return status.value_or(2);
}
