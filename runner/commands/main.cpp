// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The command line. Commands that machines call are looked at first and parsed by hand; the rest is for
/// people.
#include "providers/git_worker.hpp"
#include "runner/commands/cmd_bootstrap.hpp"
#include "runner/commands/cmd_cfg.hpp"
#include "runner/commands/cmd_guests.hpp"
#include "runner/commands/cmd_iotests.hpp"
#include "runner/commands/cmd_list.hpp"
#include "runner/commands/cmd_resolve.hpp"
#include "runner/commands/commands.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"
#include "runner/task/bodies.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

constexpr int usage_status = 2;

/// A command that Avocado's plugin runs for its user (a bootstrap takes minutes) must not outlive Avocado.
/// The variable is for us alone.
void die_with_caller() {
    constexpr auto variable = "AVOCADO_VT_CALLER";
    const char* caller = std::getenv(variable);
    if (caller == nullptr) {
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (std::to_string(::getppid()) != caller) {
        ::_exit(1);  // it died before the line above could take effect
    }
    ::unsetenv(variable);
}

/// Names in the help what is parsed elsewhere.
void add_machine_commands(CLI::App& app) {
    app.add_subcommand("capabilities", "nrunner protocol: what this runner can do");
    app.add_subcommand("runnable-run", "nrunner protocol: run a runnable given by arguments");
    app.add_subcommand("runnable-run-recipe", "nrunner protocol: run a runnable given by a recipe");
    app.add_subcommand("task-run", "nrunner protocol: run a task given by arguments");
    app.add_subcommand("task-run-recipe", "nrunner protocol: run a task given by a recipe");
    app.add_subcommand("iotests", "Run QEMU's block tests, in the words of its own check");
    app.add_subcommand("python",
                       "Run a script in the embedded interpreter, with the test modules importable");
    app.add_subcommand("api", "Names that a suite's Python uses and the test modules lack");
}

int run_for_people(int argc, char** argv) {
    CLI::App app{"Runs Avocado-VT suites: a native nrunner runner and its tools", "avocado-runner-vt"};
    app.require_subcommand(1);
    app.set_version_flag("--version", VT_VERSION);
    int status = 0;
    add_machine_commands(app);
    vt::add_cfg_command(app, status);
    vt::add_list_command(app, status);
    vt::add_resolve_command(app, status);
    vt::add_params_command(app, status);
    vt::add_bootstrap_command(app, status);
    vt::add_guests_command(app, status);
    vt::add_archs_command(app, status);
    vt::add_reap_command(app, status);
    vt::add_joblock_command(app, status);
    vt::add_selection_command(app, status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : usage_status;
    }
    return status;
}

int run(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (const auto status =
            vt::nrunner::run_protocol_command(argv[0], words, vt::runner_description(), vt::run_body)) {
        return *status;
    }
    if (!words.empty() && words.front() == "guardian") {
        return vt::run_guardian_command({words.begin() + 1, words.end()});
    }
    if (words == std::vector<std::string>{"provider-worker"}) {
        return vt::providers::run_git_worker();
    }
    if (!words.empty() && words.front() == "iotests") {
        return vt::run_iotests_command({words.begin() + 1, words.end()});
    }
    if (!words.empty() && words.front() == "python") {
        return vt::run_python_command({words.begin() + 1, words.end()});
    }
    if (!words.empty() && words.front() == "api") {
        return vt::run_api_command({words.begin() + 1, words.end()});
    }
    return run_for_people(argc, argv);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        die_with_caller();
        ::signal(SIGXFSZ, SIG_IGN);  // the call that failed says so; what we start has the default again
        return run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "avocado-runner-vt: {}\n", vt::printable(error.what()));
        return 1;
    }
}
