// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg_explain.hpp"

#include "cfg/explain.hpp"
#include "runner/commands/cfg_inputs.hpp"

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {

void add_cfg_explain_command(CLI::App& cfg_command, int& exit_status) {
    struct State {
        CfgInputs inputs;
        std::string test;
        std::vector<std::string> keys;
    };
    const auto state = std::make_shared<State>();
    CLI::App* command = cfg_command.add_subcommand(
        "explain", "Show what made a key's value in a test, or what keeps a test from coming out");
    add_cfg_inputs(*command, state->inputs, false);
    command->add_option("--test", state->test, "The test's full or short name")->required();
    command->add_option("KEY", state->keys, "Keys; all of them if none is given");
    command->callback([state, command, &exit_status] {
        try {
            const auto explanation =
                cfg::explain(read_cfg_inputs(*command, state->inputs), state->test, state->keys);
            fmt::print("{}", cfg::to_text(explanation));
            exit_status = explanation.exists ? 0 : 1;
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", error.what());
            exit_status = 1;
        }
    });
}

}  // namespace vt
