// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_list.hpp"

#include "resolver/resolver.hpp"
#include "resolver/saved_config.hpp"
#include "runner/commands/selection_options.hpp"
#include "runner/support/error.hpp"
#include "runner/support/log.hpp"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

namespace {

struct Arguments {
    SelectionOptions options;
    std::vector<std::string> references;
    bool full_names = false;
    bool params = false;
};

/// The parameters as the test gets them, as one line of JSON.
void print_params(const resolver::Selection& selection, const resolver::FoundTest& test) {
    nlohmann::json object = nlohmann::json::object();
    const Params params =
        resolver::expand(selection, test.name, test.full_name, resolver::config_cache_dir());
    params.for_each([&](std::string_view key, std::string_view value) { object[std::string(key)] = value; });
    fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int list(const Arguments& arguments) {
    std::vector<std::string> references = arguments.references;
    if (references.empty()) {
        references.emplace_back();
    }
    int status = 0;
    const resolver::Selection selection = arguments.options.selection();
    const auto found = resolver::resolve(references, selection, resolver::config_cache_dir());
    if (const auto path = resolver::saved_config_path(arguments.options.settings())) {
        resolver::save_config(*path, selection, found);
    }
    for (const resolver::Resolution& resolution : found) {
        for (const resolver::FoundTest& test : resolution.tests) {
            if (arguments.params) {
                print_params(selection, test);
            } else {
                fmt::print("{}\n", arguments.full_names ? test.full_name : test.name);
            }
        }
        if (resolution.tests.empty()) {
            fmt::print(stderr, "{}\n", resolution.info);
            status = 1;
        }
    }
    return status;
}

}  // namespace

void add_list_command(CLI::App& app, int& exit_status) {
    auto arguments = std::make_shared<Arguments>();
    CLI::App* command = app.add_subcommand("list", "Lists the tests that references give");
    arguments->options.add_to(*command, true);
    command->add_option("references", arguments->references,
                        "Filters such as boot or migrate..tcp (default: all tests)");
    command->add_flag("--full-names", arguments->full_names,
                      "Print the complete names of the Cartesian config");
    command->add_flag("--params", arguments->params, "Print each test's parameters as a line of JSON");
    command->callback([arguments, &exit_status] {
        log::set_level(log::Level::warning);
        try {
            exit_status = list(*arguments);
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", error.what());
            exit_status = 1;
        }
    });
}

}  // namespace vt
