// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_bootstrap.hpp"

#include "resolver/data_dir.hpp"
#include "runner/bootstrap/bootstrap.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/strings.hpp"

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <unistd.h>

namespace vt {

namespace {

struct Arguments {
    bootstrap::Options options;
    std::string data_dir;
    std::string import_config;
    double fetch_patience = 60;
    bool yes_to_all = false;
};

/// Lines as the user's guide shows them: `12:02:10 INFO | text`.
void print_line(log::Level level, std::string_view line) {
    std::time_t now = std::time(nullptr);
    fmt::print("{:%H:%M:%S} {:<5}| {}\n", fmt::localtime(now), log::level_name(level), printable_line(line));
    std::fflush(stdout);
}

/// Upstream's way to ask: a line that ends in (y/n); only y is yes. Nobody is asked where nobody can answer.
bool ask(const std::string& question) {
    if (isatty(STDIN_FILENO) == 0) {
        return false;
    }
    fmt::print("{} (y/n) ", printable(question));
    std::fflush(stdout);
    std::string answer;
    return std::getline(std::cin, answer) && trim(answer) == "y";
}

int run(const Arguments& arguments) {
    log::set_sink([](log::Level level, std::string_view, std::string_view line) { print_line(level, line); });
    int status = 1;
    try {
        bootstrap::Options options = arguments.options;
        options.fetch_patience = Seconds{arguments.fetch_patience};
        options.data_dir = resolver::default_data_dir(arguments.data_dir);
        if (!arguments.import_config.empty()) {
            options.import_config = std::filesystem::absolute(arguments.import_config);
        }
        options.ask = arguments.yes_to_all ? [](const std::string&) { return true; } : ask;
        status = bootstrap::run(options).usable ? 0 : 1;
    } catch (const std::exception& error) {
        log::error("{}", error.what());
    }
    log::set_sink({});
    return status;
}

}  // namespace

void add_bootstrap_command(CLI::App& app, int& exit_status) {
    auto arguments = std::make_shared<Arguments>();
    bootstrap::Options& options = arguments->options;
    CLI::App* command =
        app.add_subcommand("bootstrap", "Sets up a data directory: programs, config set, guest image");
    command->add_option("--data-dir", arguments->data_dir,
                        "Data directory (default: Avocado's, plus avocado-vt)");
    command->add_option("--vt-type", options.type, "Type of the tests")->capture_default_str();
    command->add_option("--vt-guest-os", options.guest_os,
                        "Guest to prepare (default: one that is built here)");
    command->add_flag("--vt-no-downloads", options.no_downloads, "Download nothing");
    command->add_flag("--vt-skip-verify-download-assets", options.skip_image, "Leave the guest image alone");
    command->add_flag("--vt-update-config", options.update_config, "Replace config files that were edited");
    command->add_flag("--vt-update-providers", options.update_providers,
                      "Fetch the shipped test providers, and the news of all others");
    command
        ->add_option("--vt-fetch-timeout", arguments->fetch_patience,
                     "Seconds after which a git server that says nothing is given up")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_flag("--vt-selinux-setup", options.selinux_setup,
                      "Set up the directories' SELinux contexts");
    command->add_flag("--yes-to-all", arguments->yes_to_all,
                      "Answer questions with yes; config files that were edited are kept");
    command->add_option("--vt-import-config", arguments->import_config,
                        "Take more guests from an installed Avocado-VT or its wheel");
    command->add_option("--vt-cluster-config", options.cluster_config, "Refused: there are no clusters here");
    command->add_option("--vt-qemu-bin", options.qemu_bin, "QEMU to test");
    command->add_option("--vt-host-distro-name", options.host_distro_name,
                        "Name of the distribution, for host.cfg");
    command->add_option("--vt-host-distro-version", options.host_distro_version, "Its version, such as m12");
    command->add_option("--vt-host-distro-release", options.host_distro_release, "Its release, such as u4");
    command->add_option("--vt-host-distro-arch", options.host_distro_arch,
                        "Its architecture, such as Host_arch_x86_64");
    command->callback([arguments, &exit_status] { exit_status = run(*arguments); });
}

}  // namespace vt
