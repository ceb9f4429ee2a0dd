// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/process/guardian.hpp"

#include "runner/process/spawn.hpp"
#include "runner/support/fault.hpp"
#include "runner/support/file.hpp"
#include "runner/support/file_lock.hpp"
#include "runner/support/log.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace vt::process;
using vt::Deadline;
using vt::ProcessId;
using vt::Seconds;
using vt::UniqueFd;

namespace {

/// A job directory with a guardian that this process forked itself (no binary to execute), and its stand-in
/// owner.
class Job {
  public:
    /// \param owned false: what it guards outlives jobs
    /// \param faults injected into the guardian
    explicit Job(bool owned = true, const vt::fault::Injector& faults = {}) : dir_("vt-test-") {
        vt::log::set_sink([](auto, auto, auto) {});
        vt::make_private_directory(job_dir());
        owner_ = owned ? fork_idle() : 0;
        UniqueFd listener(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, (job_dir() / "guardian").c_str(), sizeof address.sun_path - 1);
        REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener.get(), 8) == 0);
        const auto owner = owned ? ProcessId::of(owner_) : ProcessId{};
        guardian_ = ::fork();
        if (guardian_ == 0) {
            std::optional<vt::fault::Injected> injected;
            if (faults) {
                injected.emplace(faults);
            }
            ::_exit(serve_guardian(listener.release(), job_dir(), owner));
        }
    }
    ~Job() {
        end_owner();
        ::kill(guardian_, SIGKILL);
        ::waitpid(guardian_, nullptr, 0);
        vt::log::set_sink({});
    }

    std::filesystem::path job_dir() const { return dir_.path() / "job"; }
    std::shared_ptr<Guardian> connect() const {
        return Guardian::connect(job_dir(), ProcessId::of(owner_), "/no/such/runner");
    }
    void end_owner() {
        if (owner_ != 0) {
            ::kill(owner_, SIGKILL);
            ::waitpid(owner_, nullptr, 0);
            owner_ = 0;
        }
    }
    void kill_guardian() const { signal_guardian(SIGKILL); }
    void signal_guardian(int signal) const { ::kill(guardian_, signal); }
    pid_t guardian() const { return guardian_; }

  private:
    static pid_t fork_idle() {
        const pid_t pid = ::fork();
        if (pid == 0) {
            ::pause();
            ::_exit(0);
        }
        return pid;
    }

    vt::TempDirectory dir_;
    pid_t owner_ = 0;
    pid_t guardian_ = 0;
};

Command sleeper() {
    Command command;
    command.argv = {"sleep", "60"};
    return command;
}

UniqueFd null() {
    return UniqueFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
}

bool ends_soon(int pidfd) {
    pollfd ready{pidfd, POLLIN, 0};
    return ::poll(&ready, 1, 60'000) > 0;
}

struct Pipe {
    Pipe() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
        read.reset(ends[0]);
        write.reset(ends[1]);
    }
    /// Whether nobody holds the writing end any more.
    bool comes_to_an_end() {
        write.reset();
        pollfd ready{read.get(), 0, 0};
        return ::poll(&ready, 1, 60'000) > 0 && (ready.revents & POLLHUP) != 0;
    }
    std::string next(std::size_t count) const {
        std::string text(count, '\0');
        for (std::size_t got = 0; got < count;) {
            const auto more = ::read(read.get(), text.data() + got, count - got);
            REQUIRE(more > 0);
            got += static_cast<std::size_t>(more);
        }
        return text;
    }
    UniqueFd read;
    UniqueFd write;
};

GuardedStart sleeping(const std::string& name, const std::string& companion_of = {}) {
    GuardedStart what;
    what.name = name;
    what.command = sleeper();
    what.companion_of = companion_of;
    return what;
}

}  // namespace

TEST_CASE("a guarded process writes, ends, and its status is told") {
    const Job job;
    const auto guardian = job.connect();
    CHECK(Guardian::running(job.job_dir()));
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    Command command;
    command.argv = {"sh", "-c", "echo hello; exit 7"};
    auto process = guardian->start("vm1", command, write_end.get());
    write_end.reset();
    char text[6]{};
    CHECK(::read(read_end.get(), text, 5) == 5);
    CHECK(std::string(text) == "hello");
    CHECK(process.wait(Deadline::after(Seconds(10))).code == 7);
    CHECK_FALSE(process.running());
}

TEST_CASE("a missing program and a second process of one name are refused") {
    const Job job;
    const auto guardian = job.connect();
    Command command;
    command.argv = {"/no/such/qemu"};
    CHECK_THROWS_WITH_AS(guardian->start("vm1", command, null().get()), doctest::Contains("/no/such/qemu"),
                         NotFoundError);
    const auto process = guardian->start("vm1", sleeper(), null().get());
    CHECK_THROWS_WITH_AS(guardian->start("vm1", sleeper(), null().get()), doctest::Contains("runs already"),
                         vt::Error);
}

TEST_CASE("a leased process goes with its object, and with its task's connection") {
    const Job job;
    UniqueFd watched;
    {
        const auto guardian = job.connect();
        const auto process = guardian->start("vm1", sleeper(), null().get());
        watched = open_pidfd(process.pid());
    }
    CHECK(ends_soon(watched.get()));

    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t task = ::fork();
    if (task == 0) {
        const auto guardian = job.connect();
        const auto process = guardian->start("vm2", sleeper(), null().get());
        const pid_t pid = process.pid();
        [[maybe_unused]] const auto count = ::write(ends[1], &pid, sizeof pid);
        ::raise(SIGKILL);
    }
    pid_t pid = 0;
    REQUIRE(::read(ends[0], &pid, sizeof pid) == sizeof pid);
    ::waitpid(task, nullptr, 0);
    const auto id = ProcessId::of(pid);
    for (int i = 0; i < 500 && id.alive(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK_FALSE(id.alive());
}

TEST_CASE("a kept process waits for the next task and goes with the job") {
    Job job;
    ProcessId id;
    {
        const auto guardian = job.connect();
        auto process = guardian->start("vm1", sleeper(), null().get());
        id = process.id();
        process.keep();
    }
    {
        const auto guardian = job.connect();
        CHECK_FALSE(guardian->adopt("vm2"));
        auto process = guardian->adopt("vm1");
        REQUIRE(process);
        CHECK(process->id() == id);
        CHECK(process->running());
        CHECK_FALSE(guardian->adopt("vm1"));
        process->keep();
    }
    const auto watched = open_pidfd(id.pid);
    CHECK(id.alive());
    job.end_owner();
    CHECK(ends_soon(watched.get()));
    for (int i = 0; i < 500 && std::filesystem::exists(job.job_dir()); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK_FALSE(std::filesystem::exists(job.job_dir()));
}

TEST_CASE("the guardian's own death takes its processes along, and its clients are told") {
    const Job job;
    const auto guardian = job.connect();
    auto process = guardian->start("vm1", sleeper(), null().get());
    job.kill_guardian();
    CHECK(ends_soon(process.pidfd()));
    CHECK_THROWS_AS(guardian->start("vm2", sleeper(), null().get()), vt::Error);
}

TEST_CASE("a guardian without an owner lives as long as there is something to guard") {
    const Job job(false);
    const auto guardian = open_pidfd(job.guardian());
    UniqueFd watched;
    {
        auto process = job.connect()->start("vm1", sleeper(), null().get());
        watched = open_pidfd(process.pid());
        process.keep();
    }
    {
        auto process = job.connect()->adopt("vm1");
        REQUIRE(process);
        process->keep();
        // Another task's machine goes with that task, kept or not.
        const auto other = job.connect()->start("vm2", sleeper(), null().get());
    }
    pollfd ended{guardian.get(), POLLIN, 0};
    CHECK(::poll(&ended, 1, 0) == 0);
    CHECK(job.connect()->adopt("vm1"));  // and lets go of it, which ends it
    CHECK(ends_soon(watched.get()));
    CHECK(ends_soon(guardian.get()));
    CHECK(std::filesystem::exists(job.job_dir()));
    CHECK_FALSE(std::filesystem::exists(job.job_dir() / "guardian"));
}

TEST_CASE(
    "a lock that is held with the guardian outlives what it protects, however often the task is killed") {
    const Job job;
    const auto file = job.job_dir() / "image.lock";
    for (int round = 0; round < 40; ++round) {
        CAPTURE(round);
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t task = ::fork();
        if (task == 0) {
            const auto lock = vt::FileLock::try_take(file, vt::FileLock::Mode::exclusive, "task");
            const auto guardian = job.connect();
            guardian->hold(lock.value().descriptor());
            const auto process = guardian->start("vm", sleeper(), null().get());
            const pid_t pid = process.pid();
            [[maybe_unused]] const auto count = ::write(ends[1], &pid, sizeof pid);
            ::pause();
            ::_exit(0);
        }
        pid_t protected_pid = 0;
        REQUIRE(::read(ends[0], &protected_pid, sizeof protected_pid) == sizeof protected_pid);
        const auto protected_process = ProcessId::of(protected_pid);
        ::kill(task, SIGKILL);
        const auto next =
            vt::FileLock::take(file, vt::FileLock::Mode::exclusive, "next", Deadline::after(Seconds(20)));
        CHECK(!protected_process.alive());
        ::waitpid(task, nullptr, 0);
        ::close(ends[0]);
        ::close(ends[1]);
    }
}

TEST_CASE("the task's own release of a lock frees it at once") {
    const Job job;
    const auto file = job.job_dir() / "image.lock";
    const auto guardian = job.connect();
    {
        const auto lock = vt::FileLock::try_take(file, vt::FileLock::Mode::exclusive, "task");
        guardian->hold(lock.value().descriptor());
    }
    CHECK(vt::FileLock::try_take(file, vt::FileLock::Mode::exclusive, "next"));
    CHECK_THROWS_WITH_AS(guardian->hold(-1), doctest::Contains("without its descriptor"), vt::Error);
}

TEST_CASE("a start of which any step fails leaves no process, and the guardian goes on") {
    using vt::fault::Point;
    for (const auto& [point, error] :
         {std::pair{Point::journal, ENOSPC}, {Point::spawn, EAGAIN}, {Point::spawned, EMFILE}}) {
        // Of the journal only the line of the process, which comes after the process.
        const Job job(true, [failing = point, errnum = error](Point at, std::string_view what) {
            const bool wanted = at != Point::journal || what.find("doomed") != std::string_view::npos;
            return at == failing && wanted ? errnum : 0;
        });
        const auto guardian = job.connect();
        Pipe pipe;
        CHECK_THROWS_WITH_AS(guardian->start("doomed", sleeper(), pipe.write.get()),
                             doctest::Contains(vt::errno_text(error).c_str()), vt::Error);
        CHECK(pipe.comes_to_an_end());
        CHECK_FALSE(guardian->adopt("doomed"));
    }
}

TEST_CASE("an answer that comes too late is nobody else's, and what it started is ended") {
    const Job job;
    const auto guardian = job.connect();
    guardian->set_patience(Seconds(0.2));
    job.signal_guardian(SIGSTOP);
    Pipe late;
    CHECK_THROWS_WITH_AS(guardian->start("vm1", sleeper(), late.write.get()), doctest::Contains("vm1"),
                         vt::TimeoutError);
    CHECK_THROWS_AS(guardian->adopt("vm3"), vt::TimeoutError);
    job.signal_guardian(SIGCONT);
    guardian->set_patience(Seconds(60));
    Command command;
    command.argv = {"sleep", "61"};
    const auto process = guardian->start("vm2", command, null().get());
    const auto cmdline = vt::read_file("/proc/" + std::to_string(process.pid()) + "/cmdline");
    CHECK(cmdline.find("61") != std::string::npos);
    CHECK(process.running());
    CHECK(late.comes_to_an_end());
}

TEST_CASE("a process that cannot be reaped holds up nobody") {
    const Job job;
    const auto guardian = job.connect();
    pid_t stuck = 0;
    {
        const auto process = guardian->start("vm1", sleeper(), null().get());
        stuck = process.pid();
        // A tracee that is dead is there until its tracer has looked: the stand-in for a sleep in the kernel.
        REQUIRE(::ptrace(PTRACE_SEIZE, stuck, nullptr, nullptr) == 0);
        guardian->set_patience(Seconds(0.2));
    }
    guardian->set_patience(Seconds(60));
    const auto other = job.connect();
    const auto process = other->start("vm2", sleeper(), null().get());
    CHECK(process.running());
    CHECK_THROWS_WITH_AS(other->start("vm1", sleeper(), null().get()), doctest::Contains("not dead yet"),
                         vt::Error);
    REQUIRE(::waitpid(stuck, nullptr, __WALL) == stuck);
    for (int i = 0;; ++i) {
        try {
            CHECK(other->start("vm1", sleeper(), null().get()).running());
            break;
        } catch (const vt::Error&) {
            REQUIRE(i < 6000);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }
    // The answer that was late by then disturbs nobody.
    CHECK(guardian->start("vm3", sleeper(), null().get()).running());
}

TEST_CASE("descriptors go to the process by number and come back to whoever adopts it by name") {
    const Job job;
    Pipe output;
    Pipe held;
    const auto out = null();
    {
        const auto guardian = job.connect();
        GuardedStart what;
        what.name = "vm1";
        what.command.argv = {"sh", "-c",
                             "echo seven >&7; echo nine >&9; ls /proc/self/fd | wc -l >&7; exec sleep 60"};
        what.output = out.get();
        what.fds = {{"first", output.write.get(), 7, false},
                    {"second", output.write.get(), 9, true},
                    {"note", held.write.get(), -1, true}};
        auto process = guardian->start(what);
        CHECK(output.next(11) == "seven\nnine\n");
        CHECK(output.next(2) == "6\n");  // three streams, two of ours, and ls's own
        process.keep();
        CHECK_THROWS_AS(guardian->start({"vm2", sleeper(), out.get(), {{"bad", out.get(), 1, false}}, {}}),
                        vt::Error);
    }
    held.write.reset();
    const auto guardian = job.connect();
    auto process = guardian->adopt("vm1");
    REQUIRE(process);
    auto note = process->take_fd("note");
    REQUIRE(note);
    CHECK_FALSE(process->take_fd("note"));
    CHECK_FALSE(process->take_fd("first"));
    CHECK(process->take_fd("second"));
    CHECK(::write(note->get(), "kept", 4) == 4);
    CHECK(held.next(4) == "kept");
}

TEST_CASE("companions are leased, kept, adopted and ended with their process, and their death is named") {
    const Job job;
    const auto out = null();
    const auto started = [&](Guardian& guardian, const std::string& name, const std::string& of = {}) {
        auto what = sleeping(name, of);
        what.output = out.get();
        return guardian.start(what);
    };
    UniqueFd vm;
    UniqueFd tpm;
    {
        const auto guardian = job.connect();
        // A start that fails after its companion's.
        {
            const auto companion = started(*guardian, "vm0/swtpm", "vm0");
            tpm = open_pidfd(companion.pid());
        }
        CHECK(ends_soon(tpm.get()));
        const auto companion = started(*guardian, "vm1/swtpm", "vm1");
        const auto other = started(*guardian, "vm1/virtiofsd", "vm1");
        auto process = started(*guardian, "vm1");
        vm = open_pidfd(process.pid());
        tpm = open_pidfd(companion.pid());
        CHECK(process.dead_companions().empty());
        process.keep();
    }
    CHECK_FALSE(job.connect()->adopt("vm1/swtpm"));
    {
        const auto guardian = job.connect();
        auto process = guardian->adopt("vm1");
        REQUIRE(process);
        auto companions = process->take_companions();
        REQUIRE(companions.size() == 2);
        CHECK(companions.front().name() == "vm1/swtpm");
        companions.front().signal(SIGSEGV);
        CHECK(ends_soon(companions.front().pidfd()));
        CHECK(companions.front().status()->signal == SIGSEGV);
        const auto dead = process->dead_companions();
        REQUIRE(dead.size() == 1);
        CHECK(dead.front().find("vm1/swtpm") == 0);
        CHECK(dead.front().find("was killed by SIGSEGV") != std::string::npos);
        tpm = open_pidfd(companions.back().pid());
        CHECK(process->running());
    }
    CHECK(ends_soon(vm.get()));
    CHECK(ends_soon(tpm.get()));
    // Kept, then its process dies on its own: nobody is there who could use what served it.
    {
        const auto guardian = job.connect();
        const auto companion = started(*guardian, "vm2/swtpm", "vm2");
        auto process = started(*guardian, "vm2");
        tpm = open_pidfd(companion.pid());
        process.keep();
        process.signal(SIGKILL);
    }
    CHECK(ends_soon(tpm.get()));
    // A task that dies takes all along.
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    const pid_t task = ::fork();
    if (task == 0) {
        const auto guardian = job.connect();
        const auto companion = started(*guardian, "vm3/swtpm", "vm3");
        const auto process = started(*guardian, "vm3");
        const pid_t pid = companion.pid();
        [[maybe_unused]] const auto count = ::write(ends[1], &pid, sizeof pid);
        ::raise(SIGKILL);
    }
    pid_t pid = 0;
    REQUIRE(::read(ends[0], &pid, sizeof pid) == sizeof pid);
    ::waitpid(task, nullptr, 0);
    const auto id = ProcessId::of(pid);
    for (int i = 0; i < 6000 && id.alive(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK_FALSE(id.alive());
    ::close(ends[0]);
    ::close(ends[1]);
}
