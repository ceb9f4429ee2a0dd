// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_iotests.hpp"

#include "runner/harness/block/script_run.hpp"
#include "runner/io/interrupt.hpp"
#include "runner/io/io_loop.hpp"
#include "runner/io/socket.hpp"
#include "runner/process/process.hpp"
#include "runner/process/sweeper.hpp"
#include "runner/support/error.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/runtime_dirs.hpp"
#include "runner/support/scratch.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace vt {
namespace {

namespace fs = std::filesystem;
using block::ScriptResult;
using block::Verdict;

constexpr int usage_status = 2;

constexpr auto help_text = R"(usage: avocado-runner-vt iotests [OPTION]... [NAME]...

Runs QEMU's block tests (tests/qemu-iotests) as QEMU's own "check" does.

  -raw -qcow2 -luks ...   image format (default: raw)
  -file -nbd -ssh ...     protocol (default: file)
  -c MODE, -nocache       cache mode; -i MODE: aio mode (default: threads); -misalign
  -o OPTIONS              image options
  -g GROUPS, -x GROUPS    only, or without, tests of these groups (a,b,...)
  --start-from NAME       leave out the tests before NAME
  -j N                    run N at a time
  -n                      show the names and run nothing
  -d, -p                  debug; QEMU's output in the test's
  -gdb, -valgrind         QEMU below gdbserver ($GDB_OPTIONS) or valgrind
  -tap, --color MODE      how results are shown
  -- COMMAND...           run COMMAND in a test's environment

Not of check:
  --source DIR            where the tests are (default: here, or where the first name leads)
  --results DIR           where output and QMP logs of failed tests go (default: scratch)
  --timeout SECONDS       for one test (default: 900)
  --machine TYPE          machine type
  --iotests-module M      ours, or theirs: the one in the tests' folder
  --iotests-api LEVEL     6.1 or 7.2 (default: as the test uses it)

Programs: $QEMU_PROG, $QEMU_IMG_PROG, $QEMU_IO_PROG, $QEMU_NBD_PROG, $QSD_PROG, else those on PATH.
)";

std::string now() {
    const auto seconds = std::time(nullptr);
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    return fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
}

/// Prints results as they come; called from several threads.
class Report {
  public:
    Report(const IotestsRequest& request, std::size_t count, std::size_t width)
        : request_(request), count_(count), width_(width) {
        if (request_.tap) {
            fmt::print("1..{}\n", count);
        }
    }

    void add(const block::Script& script, const std::string& begun, const ScriptResult& result) {
        const std::lock_guard lock(mutex_);
        if (request_.tap) {
            tap(script, result);
        } else {
            line(script, begun, result);
        }
        for (const auto& remark : split(std::string(trim(result.remarks)), '\n')) {
            if (!remark.empty()) {
                fmt::print("{}{}\n", request_.tap ? "# " : "    ", printable(trim(remark)));
            }
        }
        for (const auto& what : result.left_behind) {
            fmt::print("{}left running, killed: {}\n", request_.tap ? "# " : "    ", printable(what));
        }
        for (const auto& core : result.cores) {
            fmt::print("{}a program crashed; its core is {}\n", request_.tap ? "# " : "    ",
                       printable(core));
        }
        if (!result.difference.empty() && result.verdict == Verdict::fail) {
            for (const auto& text : split(std::string(trim(result.difference)), '\n')) {
                fmt::print("{}{}\n", request_.tap ? "# " : "", printable(text));
            }
        }
        std::fflush(stdout);
        if (result.verdict == Verdict::not_run) {
            not_run_.push_back(script.name);
        } else if (result.verdict != Verdict::pass) {
            failed_.push_back(script.name);
        }
        if (!result.remarks.empty()) {
            partly_.push_back(script.name);
        }
    }

    /// The last lines; the exit status.
    int finish() const {
        if (request_.tap) {
            return failed_.empty() ? 0 : 1;
        }
        const auto list = [](const char* what, const std::vector<std::string>& names) {
            if (!names.empty()) {
                fmt::print("{}: {}\n", what, join(names, " "));
            }
        };
        list("Not run", not_run_);
        list("Some cases not run in", partly_);
        list("Failures", failed_);
        const auto run = count_ - not_run_.size();
        if (failed_.empty()) {
            fmt::print("Passed all {} iotests\n", run);
            return 0;
        }
        fmt::print("Failed {} of {} iotests\n", failed_.size(), run);
        return 1;
    }

  private:
    void tap(const block::Script& script, const ScriptResult& result) const {
        const bool bad = result.verdict == Verdict::fail || result.verdict == Verdict::error;
        fmt::print("{}ok {} {}{}\n", bad ? "not " : "", request_.settings.format, script.name,
                   result.verdict == Verdict::not_run ? " # SKIP" : "");
        if (!result.reason.empty()) {
            fmt::print("# {}\n", printable(result.reason));
        }
    }

    void line(const block::Script& script, const std::string& begun, const ScriptResult& result) const {
        const char* color = "";
        if (request_.color) {
            color = result.verdict == Verdict::pass      ? "\033[32m"
                    : result.verdict == Verdict::not_run ? "\033[33m"
                                                         : "\033[1m\033[31m";
        }
        fmt::print("{:{}} {}{:10}{} [{}] [{}] {:>6} {}\n", script.name, width_, color,
                   block::verdict_name(result.verdict), request_.color ? "\033[0m" : "", begun, now(),
                   fmt::format("{:.1f}s", result.seconds), printable(result.reason));
    }

    const IotestsRequest& request_;
    std::size_t count_;
    std::size_t width_;
    std::mutex mutex_;
    std::vector<std::string> failed_;
    std::vector<std::string> not_run_;
    std::vector<std::string> partly_;
};

fs::path source_of(const IotestsRequest& request) {
    if (!request.source.empty()) {
        return fs::absolute(request.source).lexically_normal();
    }
    for (const auto& name : request.selection.names) {
        if (name.find('/') != std::string::npos && fs::exists(name)) {
            auto folder = fs::absolute(name).lexically_normal().parent_path();
            return folder.filename() == "tests" && fs::exists(folder.parent_path() / "common.rc")
                       ? folder.parent_path()
                       : folder;
        }
    }
    return fs::current_path();
}

void print_environment(const IotestsRequest& request, const block::Facts& facts) {
    const auto& settings = request.settings;
    const auto& programs = settings.programs;
    const std::string mark = request.tap ? "# " : "";
    fmt::print(
        "{}QEMU          -- \"{}\" {}\n", mark, programs.qemu.string(),
        facts.qtest ? "" : "(it has no qtest accelerator: machines run under TCG, and execute nothing)");
    fmt::print("{}QEMU_IMG      -- \"{}\"\n{}QEMU_IO       -- \"{}\"\n", mark, programs.qemu_img.string(),
               mark, programs.qemu_io.string());
    fmt::print("{}QEMU_NBD      -- \"{}\"\n", mark,
               programs.qemu_nbd.empty() ? "(there is none)" : programs.qemu_nbd.string());
    fmt::print("{}IMGFMT        -- {}{}\n{}IMGPROTO      -- {}\n\n", mark, settings.format,
               settings.image_options.empty() ? "" : " (" + settings.image_options + ")", mark,
               settings.protocol);
    std::fflush(stdout);
}

/// All scripts, several at a time; the exit status.
class Job {
  public:
    Job(const IotestsRequest& request, const block::Facts& facts, const std::vector<block::Script>& scripts,
        block::RunContext context)
        : request_(request),
          facts_(facts),
          scripts_(scripts),
          context_(std::move(context)),
          report_(request, scripts.size(), width(scripts)),
          done_(::eventfd(0, EFD_CLOEXEC)) {
        context_.interrupt = &interrupt_;
    }

    int run(const sigset_t& signals) {
        const UniqueFd told(::signalfd(-1, &signals, SFD_CLOEXEC));
        const auto count = std::min<std::size_t>(static_cast<std::size_t>(request_.jobs), scripts_.size());
        std::vector<std::thread> workers;
        working_ = count;
        for (std::size_t i = 0; i < count; ++i) {
            workers.emplace_back([this] { work(); });
        }
        std::array<pollfd, 2> fds{{{told.get(), POLLIN, 0}, {done_.get(), POLLIN, 0}}};
        while ((fds[1].revents & POLLIN) == 0) {
            ::poll(fds.data(), fds.size(), -1);
            if ((fds[0].revents & POLLIN) != 0 && (fds[1].revents & POLLIN) == 0) {
                signalfd_siginfo which{};
                if (::read(told.get(), &which, sizeof which) > 0) {
                    signal_ = static_cast<int>(which.ssi_signo);
                    interrupt_.raise("Interrupted by user");
                }
            }
        }
        for (auto& worker : workers) {
            worker.join();
        }
        return signal_ != 0 ? 128 + signal_ : report_.finish();
    }

  private:
    static std::size_t width(const std::vector<block::Script>& scripts) {
        std::size_t widest = 0;
        for (const auto& script : scripts) {
            widest = std::max(widest, script.name.size());
        }
        return widest + 2;
    }

    void work() {
        for (std::size_t at = next_++; at < scripts_.size() && !interrupt_.reason(); at = next_++) {
            const auto begun = now();
            try {
                report_.add(scripts_[at], begun,
                            block::run_script(loop_, scripts_[at], request_.settings, facts_, context_));
            } catch (const InterruptedError& error) {
                ScriptResult result;
                result.verdict = Verdict::not_run;
                result.reason = error.what();
                report_.add(scripts_[at], begun, result);
            }
        }
        if (--working_ == 0) {
            const std::uint64_t one = 1;
            static_cast<void>(::write(done_.get(), &one, sizeof one));
        }
    }

    const IotestsRequest& request_;
    const block::Facts& facts_;
    const std::vector<block::Script>& scripts_;
    block::RunContext context_;
    Report report_;
    UniqueFd done_;
    Interrupt interrupt_;
    IoLoop loop_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> working_{0};
    int signal_ = 0;
};

/// `-- COMMAND`: in the environment of a test of no name.
int run_command(const IotestsRequest& request, const block::Facts& facts, const block::RunContext& context) {
    const ScratchDirectory tests(context.journals, "vt-iotest-",
                                 context.test_dirs.empty() ? "/var/tmp" : context.test_dirs);
    const ScratchDirectory sockets(context.journals, "io-", context.sock_dirs);
    process::Command command;
    command.argv = request.command;
    command.environment =
        block::environment(request.settings, facts, {tests.path(), sockets.path(), {}}, source_of(request));
    process::Child child(command, [](std::string_view line) { fmt::print("{}\n", line); });
    const auto status = child.wait(Deadline::never());
    return status.signal != 0 ? 128 + status.signal : status.code;
}

int run(IotestsRequest request) {
    request.settings.programs.complete();
    const auto dirs = RuntimeDirs::make();
    const auto source = source_of(request);
    std::vector<block::Script> scripts;
    if (request.command.empty()) {
        scripts = block::select_scripts(source, request.selection);
    }
    if (request.dry_run) {
        for (const auto& script : scripts) {
            fmt::print("{}\n", fs::relative(script.file, source).string());
        }
        return 0;
    }
    // Forked while there is one thread: if this process is killed, it kills what the tests run, and clears
    // up.
    const auto journal = dirs.journal();
    const process::SweeperEnd then{[journal](std::optional<int>) { Journal::reap(journal); }, {}};
    process::start_sweeper(ProcessId::of(::getpid()), then);
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        sigaddset(&signals, signal);
    }
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    const auto facts = block::Facts::of(request.settings.programs, user_cache_dir(dirs));
    block::RunContext context;
    context.journals = journal;
    context.sock_dirs = dirs.base;
    context.source = source;
    context.results = fs::absolute(request.results.empty() ? fs::path("scratch") : request.results);
    if (!request.command.empty()) {
        return run_command(request, facts, context);
    }
    print_environment(request, facts);
    return Job(request, facts, scripts, std::move(context)).run(signals);
}

}  // namespace

int run_iotests_command(const std::vector<std::string>& words) {
    log::set_level(log::Level::warning);
    try {
        auto request = parse_iotests(words);
        if (request.help) {
            fmt::print("{}", help_text);
            return 0;
        }
        return run(std::move(request));
    } catch (const Error& error) {
        fmt::print(stderr, "avocado-runner-vt iotests: {}\n", printable(error.what()));
        return usage_status;
    }
}

}  // namespace vt
