// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_guests.hpp"

#include "resolver/data_dir.hpp"
#include "resolver/resolver.hpp"
#include "runner/commands/selection_options.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <unistd.h>

namespace vt {

namespace {

void print_missing(const resolver::Guest& guest) {
    std::string text = fmt::format("(missing {})", guest.image.filename().string());
    fmt::print(" {}", isatty(STDOUT_FILENO) == 1 ? fmt::format("\x1b[33m{}\x1b[0m", text) : text);
}

int list_guests(const SelectionOptions& options) {
    resolver::Selection selection = options.selection();
    fmt::print("Using {} for guest images\n\nAvailable guests in config:\n",
               resolver::DataDir{selection.data_dir}.images().string());
    for (const resolver::Guest& guest :
         resolver::guests(selection, options.guest_os().value_or(""), resolver::config_cache_dir())) {
        fmt::print("{}", printable_line(guest.name));
        if (!guest.image.empty() && !guest.image_exists) {
            print_missing(guest);
        }
        fmt::print("\n");
    }
    fmt::print("\n");
    return 0;
}

int list_archs(const SelectionOptions& options) {
    resolver::Selection selection = options.selection();
    std::string guest_os = options.guest_os().value_or(resolver::effective_guest_os(selection));
    fmt::print("Available arch profiles for guest os \"{}\"\n", guest_os);
    for (const resolver::Guest& guest :
         resolver::arch_profiles(selection, guest_os, resolver::config_cache_dir())) {
        fmt::print("{}\n", printable_line(guest.name));
    }
    fmt::print("\n");
    return 0;
}

void add(CLI::App& app, int& exit_status, const char* name, const char* help,
         int (*list)(const SelectionOptions&)) {
    auto options = std::make_shared<SelectionOptions>();
    CLI::App* command = app.add_subcommand(name, help);
    options->add_to(*command, false);
    command->callback([options, list, &exit_status] {
        try {
            exit_status = list(*options);
        } catch (const Error& error) {
            std::fflush(stdout);
            fmt::print(stderr, "{}\n", printable(error.what()));
            exit_status = 1;
        }
    });
}

}  // namespace

void add_guests_command(CLI::App& app, int& exit_status) {
    add(app, exit_status, "guests", "Lists the guests of the config set", list_guests);
}

void add_archs_command(CLI::App& app, int& exit_status) {
    add(app, exit_status, "archs", "Lists the architectures and machine types of a guest", list_archs);
}

}  // namespace vt
