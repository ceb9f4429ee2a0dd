// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/resolver.hpp"
#include "resolver/runnable_kwargs.hpp"
#include "runner/commands/commands.hpp"
#include "runner/nrunner/runnable.hpp"
#include "runner/support/error.hpp"
#include "runner/support/file.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

namespace {

constexpr std::size_t largest_recipe = std::size_t{32} << 20;

/// The parameters as a test gets them, as one line.
void print_params(const nrunner::Runnable& runnable) {
    nlohmann::json object = nlohmann::json::object();
    if (const auto small = resolver::small_runnable(runnable.kwargs_json())) {
        resolver::expand(small->selection, runnable.uri, small->full_name, resolver::config_cache_dir())
            .for_each(
                [&](std::string_view key, std::string_view value) { object[std::string(key)] = value; });
    } else {
        for (const auto& argument : runnable.kwargs) {
            object[argument.key] = argument.value;
        }
    }
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

void print_all(const std::vector<std::string>& recipes) {
    for (const std::string& recipe : recipes) {
        if (recipe != "-") {
            print_params(nrunner::runnable_from_recipe(read_file(recipe, largest_recipe)));
            continue;
        }
        for (std::string line; std::getline(std::cin, line);) {
            print_params(nrunner::runnable_from_recipe(line));
        }
    }
}

}  // namespace

void add_params_command(CLI::App& app, int& exit_status) {
    auto recipes = std::make_shared<std::vector<std::string>>();
    CLI::App* command = app.add_subcommand(
        "params", "Prints the parameters that the tests of recipes get, a line of JSON for each");
    command
        ->add_option(
            "recipes", *recipes,
            "Files as 'avocado list --write-recipes-to-directory' makes them; -: one on each line of "
            "standard input")
        ->required();
    command->callback([recipes, &exit_status] {
        log::set_level(log::Level::warning);
        try {
            print_all(*recipes);
            exit_status = 0;
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", printable(error.what()));
            exit_status = 1;
        }
    });
}

}  // namespace vt
