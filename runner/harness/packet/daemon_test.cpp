// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/harness/packet/daemon.hpp"

#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <poll.h>

namespace vt::packet {
namespace {

struct Fixture {
    Fixture() : directory("vt-daemon-") {
        log::set_sink([](auto, auto, auto) {});
    }
    ~Fixture() { log::set_sink({}); }

    DaemonOptions shell(const std::string& script) const {
        DaemonOptions options;
        options.name = "mined";
        options.argv = {"sh", "-c", script};
        options.directory = directory.path();
        return options;
    }

    TempDirectory directory;
    IoLoop loop;
};

Deadline soon() {
    return Deadline::after(Seconds{30});
}

TEST_CASE_FIXTURE(Fixture, "a daemon is ready when it says so, and what it prints is there") {
    auto options = shell("echo starting; echo oh dear >&2; echo ready on port 7; exec sleep 600");
    options.ready = process::ReadyLine{"ready on port \\d+", process::ReadyLine::In::any, {}};
    Daemon daemon(loop, options);
    daemon.wait_ready();
    CHECK(daemon.wait_for_line("^ready", soon()) == "ready on port 7");
    CHECK(daemon.wait_for_line("dear$", soon()) == "oh dear");
    CHECK(daemon.output(process::Stream::out) == "starting\nready on port 7\n");
    const auto lines = daemon.take_lines(soon());
    CHECK(lines.out.front() == "starting");
    CHECK_THROWS_AS(daemon.wait_for_line("never", Deadline::after(Seconds{0.05})), TimeoutError);
    daemon.check();
    CHECK(daemon.stop().signal == SIGTERM);
    daemon.check();  // it was asked to
    CHECK_FALSE(daemon.death()->reason());
}

TEST_CASE_FIXTURE(Fixture, "a daemon that is not there is named") {
    auto options = shell("");
    options.argv = {"no-such-daemon"};
    CHECK_THROWS_WITH_AS(
        Daemon(loop, options),
        "the daemon no-such-daemon is not there or not executable; install it, or name it by its path",
        process::NotFoundError);
}

TEST_CASE_FIXTURE(Fixture, "one that exits at its start, and one that is never ready") {
    auto options = shell("echo no such option >&2; exit 3");
    options.ready = process::ReadyFile{directory.path() / "never"};
    Daemon dying(loop, options);
    try {
        dying.wait_ready();
        FAIL("it counts as ready");
    } catch (const DaemonDied& error) {
        const std::string text = error.what();
        CHECK(text.find("it ended before it was ready: mined") == 0);
        CHECK(text.find("ended with exit status 3") != std::string::npos);
        CHECK(text.find("no such option") != std::string::npos);
    }
    options = shell("exec sleep 600");
    options.ready = process::ReadyFile{directory.path() / "never"};
    options.start_timeout = Seconds{0.05};
    Daemon silent(loop, options);
    CHECK_THROWS_AS(silent.wait_ready(), TimeoutError);
}

TEST_CASE_FIXTURE(Fixture, "its death in mid-test ends every wait with the signal, and leaves a core") {
    Daemon daemon(loop, shell("echo up; exec sleep 600"));
    daemon.wait_for_line("up", soon());
    daemon.signal(SIGSEGV);
    CHECK(wait_ready(daemon.death()->fd(), POLLIN, soon()));
    CHECK(daemon.death()->reason()->find("mined ended unasked: killed by SIGSEGV") == 0);
    daemon.wait(soon());
    CHECK_THROWS_AS(daemon.check(), DaemonDied);
    CHECK_THROWS_AS(daemon.wait_for_line("never", soon()), DaemonDied);
    if (core_pattern().find('/') == std::string::npos && core_pattern().front() != '|') {
        REQUIRE(daemon.core());
        CHECK(daemon.core()->parent_path() == directory.path());
    }
}

TEST_CASE_FIXTURE(Fixture, "one that ignores SIGTERM goes all the same, with its children") {
    auto options = shell("trap '' TERM; sleep 600 & echo up; wait; wait");
    options.stop.grace = Seconds{0.1};
    Daemon daemon(loop, options);
    daemon.wait_for_line("up", soon());
    CHECK(daemon.stop().signal == SIGKILL);
}

TEST_CASE_FIXTURE(Fixture, "one that floods its output is read on, in bounds") {
    auto options =
        shell("head -c 30000000 /dev/zero | tr '\\0' x | fold -w 1000; echo; echo the end; exec sleep 600");
    Daemon daemon(loop, options);
    CHECK(daemon.wait_for_line("^the end$", soon()) == "the end");
    std::size_t bytes = 0;
    for (const auto& line : daemon.take_lines(soon()).out) {
        bytes += line.size();
    }
    CHECK(bytes <= std::size_t{9} << 20);
}

TEST_CASE_FIXTURE(Fixture, "who debugs it is told how") {
    auto options = shell("exec sleep 600");
    options.debug = Debug::gdb;
    Daemon daemon(loop, options);
    const auto help = daemon.debug_help();
    REQUIRE(help.size() == 2);
    CHECK(help[0].find("attach " + std::to_string(daemon.pid())) != std::string::npos);
}

TEST_CASE("cores are found by the kernel's pattern") {
    const TempDirectory directory("vt-core-");
    const auto found = [&](const std::string& pattern) {
        return find_core(directory.path(), pattern, 12, "mined").has_value();
    };
    CHECK_FALSE(found("core"));
    write_file_atomically(directory.path() / "core", "x");
    write_file_atomically(directory.path() / "core.12", "x");
    write_file_atomically(directory.path() / "mined-11-1700", "x");
    CHECK(found("core"));
    CHECK(found("core.%p"));
    CHECK(find_core(directory.path(), "core.%p", 13, "mined") == std::nullopt);
    CHECK_FALSE(found("%e-%p-%t"));
    write_file_atomically(directory.path() / "mined-12-1700", "x");
    CHECK(found("%e-%p-%t"));
    CHECK_FALSE(found("|/usr/lib/apport %p"));
    CHECK(found((directory.path() / "core").string()));
    CHECK_FALSE(found("/no/such/directory/core"));
}

TEST_CASE("the environment's words") {
    std::map<std::string, std::string> environment;
    const auto read = [&] {
        return Settings::read([&](const std::string& name) {
            const auto found = environment.find(name);
            return found == environment.end() ? std::nullopt : std::optional(found->second);
        });
    };
    const auto plain = read();
    CHECK_FALSE(plain.step);
    CHECK(plain.cache_output);
    CHECK(plain.debug == Debug::none);
    CHECK_FALSE(plain.core_size);
    CHECK(plain.program == "vpp");
    environment = {{"STEP", "Yes"},         {"DEBUG", "GDBserver"},    {"CACHE_OUTPUT", "no"},
                   {"COREDUMP_SIZE", "2m"}, {"FAILED_DIR", "/failed"}, {"EXTENDED_TESTS", "1"},
                   {"VPP_BIN", "/opt/vpp"}, {"VPP_PLUGIN_PATH", "/a"}, {"EXTERN_PLUGINS", "/b"}};
    const auto set = read();
    CHECK(set.step);
    CHECK_FALSE(set.cache_output);
    CHECK(set.debug == Debug::gdbserver);
    CHECK(set.core_size == 2U << 20U);
    CHECK(set.failed_dir == "/failed");
    CHECK(set.extended);
    CHECK(set.program == "/opt/vpp");
    CHECK(set.plugin_path == "/a:/b");
    environment = {{"COREDUMP_SIZE", "much"}};
    CHECK_THROWS_AS(read(), Error);
    environment = {{"DEBUG", "printf"}};
    CHECK_THROWS_AS(read(), Error);
}

TEST_CASE("the CPU with the fewest daemons") {
    const TempDirectory proc("vt-proc-");
    const auto process = [&](int pid, const std::string& name, int cpu) {
        std::string stat = std::to_string(pid) + " (" + name + ") S";
        for (int field = 4; field < 39; ++field) {
            stat += " 0";
        }
        make_private_directory(proc.path() / std::to_string(pid));
        write_file_atomically(proc.path() / std::to_string(pid) / "stat",
                              stat + " " + std::to_string(cpu) + " 0\n");
    };
    const int first = least_used_cpu("vpp_main", proc.path());
    process(10, "vpp_main", first);
    process(11, "other", first);
    const int second = least_used_cpu("vpp_main", proc.path());
    if (second != first) {
        process(12, "vpp_main", second);
        process(13, "vpp_main", second);
        CHECK(least_used_cpu("vpp_main", proc.path()) != second);
    }
}

}  // namespace
}  // namespace vt::packet
