// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg_lint.hpp"

#include "cfg/lint.hpp"
#include "runner/commands/cfg_inputs.hpp"
#include "runner/support/printable.hpp"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace vt {
namespace {

std::vector<cfg::Finding> findings_of(const CLI::App& command, const CfgInputs& inputs) {
    try {
        return cfg::lint(read_cfg_inputs(command, inputs));
    } catch (const cfg::ParserError& error) {
        return {{"syntax-error", error.report().where, error.report().message}};
    }
}

void print_json(const std::vector<cfg::Finding>& findings) {
    nlohmann::json list = nlohmann::json::array();
    for (const cfg::Finding& finding : findings) {
        list.push_back({{"rule", finding.rule},
                        {"file", finding.where.file},
                        {"line", finding.where.line},
                        {"column", finding.where.column},
                        {"message", finding.message}});
    }
    fmt::print("{}\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace

void add_cfg_lint_command(CLI::App& cfg_command, int& exit_status) {
    struct State {
        CfgInputs inputs;
        std::string format = "text";
    };
    const auto state = std::make_shared<State>();
    CLI::App* command =
        cfg_command.add_subcommand("lint", "Show what can never have an effect, and likely mistakes");
    add_cfg_inputs(*command, state->inputs, false);
    command->add_option("--format", state->format, "text or json")->check(CLI::IsMember({"text", "json"}));
    command->callback([state, command, &exit_status] {
        try {
            const auto findings = findings_of(*command, state->inputs);
            if (state->format == "json") {
                print_json(findings);
            } else {
                for (const cfg::Finding& finding : findings) {
                    fmt::print("{}: {} [{}]\n", printable_line(finding.where.to_string()),
                               printable_line(finding.message), finding.rule);
                }
            }
            exit_status = findings.empty() ? 0 : 1;
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", printable(error.what()));
            exit_status = 1;
        }
    });
}

}  // namespace vt
