// SPDX-License-Identifier: GPL-2.0-or-later
#include "resolver/runnable_kwargs.hpp"
#include "runner/commands/commands.hpp"
#include "runner/support/error.hpp"
#include "runner/support/journal.hpp"
#include "runner/support/log.hpp"
#include "runner/support/printable.hpp"

#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {

using nlohmann::json;

namespace {

json reply(const json& request) {
    if (const auto file = request.find("release"); file != request.end()) {
        resolver::remove_selection_file(file->get<std::string>());
        return json::object();
    }
    const auto owner = ProcessId::of(request.at("pid").get<pid_t>());
    const auto file = resolver::write_selection_file(request.at("selection"), owner);
    return {{"file", file.string()}};
}

}  // namespace

void add_selection_command(CLI::App& app, int& exit_status) {
    auto* command = app.add_subcommand(
        "selection",
        "Keeps what a job's tests are selected by where only its user reads it: JSON in, JSON out");
    command->callback([&exit_status] {
        log::set_level(log::Level::warning);
        exit_status = 0;
        json answer;
        try {
            const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
            answer = reply(json::parse(text));
        } catch (const json::exception& error) {
            fmt::print(stderr,
                       "avocado-runner-vt selection: expected a JSON object with selection and pid, or "
                       "with release, on standard input: {}\n",
                       printable(error.what()));
            exit_status = 2;
            return;
        } catch (const std::exception& error) {
            answer = {{"error", printable_line(error.what())}};
        }
        std::cout << answer.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
    });
}

}  // namespace vt
