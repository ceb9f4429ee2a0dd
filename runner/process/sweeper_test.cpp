// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/sweeper.hpp"

#include "runner/support/journal.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

using vt::ProcessId;

TEST_CASE("what a killed supervisor's test had started is swept, its neighbours are not") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t neighbour = ::fork();
    if (neighbour == 0) {
        ::execlp("sleep", "sleep", "60", nullptr);
    }
    const pid_t supervisor = ::fork();
    if (supervisor == 0) {
        vt::process::start_sweeper("test-" + std::to_string(::getpid()));
        if (::fork() == 0) {
            // As Python's subprocess would: another session, no PDEATHSIG.
            ::setsid();
            const pid_t self = ::getpid();
            [[maybe_unused]] const auto count = ::write(ends[1], &self, sizeof self);
            ::execlp("sleep", "sleep", "60", nullptr);
        }
        ::pause();
    }
    pid_t survivor = 0;
    REQUIRE(::read(ends[0], &survivor, sizeof survivor) == sizeof survivor);
    const auto id = ProcessId::of(survivor);
    // Not before it is `sleep`: the mark is read from what was executed.
    while (std::filesystem::read_symlink("/proc/" + std::to_string(survivor) + "/exe").filename() !=
           "sleep") {
        std::this_thread::yield();
    }
    ::kill(supervisor, SIGKILL);
    ::waitpid(supervisor, nullptr, 0);
    for (int i = 0; i < 200 && id.alive(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK_FALSE(id.alive());
    CHECK(ProcessId::of(neighbour).alive());
    ::kill(neighbour, SIGKILL);
    ::waitpid(neighbour, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}
