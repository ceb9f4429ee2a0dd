// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_list.hpp"

#include "resolver/resolver.hpp"
#include "resolver/saved_config.hpp"
#include "runner/commands/list_ticker.hpp"
#include "runner/commands/selection_options.hpp"
#include "runner/support/error.hpp"
#include "runner/support/printable.hpp"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

using nlohmann::json;

namespace {

struct Arguments {
    SelectionOptions options;
    std::vector<std::string> references;
    bool full_names = false;
};

int list(const Arguments& arguments) {
    std::vector<std::string> references = arguments.references;
    if (references.empty()) {
        references.emplace_back();
    }
    int status = 0;
    const resolver::Selection selection = arguments.options.selection();
    const json settings = arguments.options.settings();
    const auto found = [&] {
        ListTicker ticker;
        return resolver::resolve(references, selection, resolver::config_cache_dir(),
                                 {resolver::list_limit_from_settings(settings), &ticker.progress()});
    }();
    if (const auto path = resolver::saved_config_path(settings)) {
        resolver::save_config(*path, selection, found);
    }
    for (const resolver::Resolution& resolution : found) {
        for (const resolver::FoundTest& test : resolution.tests) {
            fmt::print("{}\n", printable_line(arguments.full_names ? test.full_name : test.name));
        }
        if (resolution.tests.empty()) {
            fmt::print(stderr, "{}\n", printable(resolution.info));
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
    command->callback([arguments, &exit_status] {
        try {
            exit_status = list(*arguments);
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", printable(error.what()));
            exit_status = 1;
        }
    });
}

}  // namespace vt
