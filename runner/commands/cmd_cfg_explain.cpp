// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg_explain.hpp"

#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/explain.hpp"
#include "runner/commands/cfg_inputs.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {
namespace {

constexpr std::size_t most_names = 20;

/// The names that \p filter lets through, at most \p most_names and one; none if it is no filter.
std::vector<std::string> matching_names(const CLI::App& command, const CfgInputs& inputs,
                                        const std::string& filter) {
    std::vector<std::string> names;
    try {
        cfg::Expander expander(read_cfg_inputs(command, inputs, {cfg::Input::only(filter)}));
        for (const auto* found = expander.next_name(); found != nullptr && names.size() <= most_names;
             found = expander.next_name()) {
            names.emplace_back(found->name);
        }
    } catch (const cfg::ParserError&) {  // a name that is no filter matches nothing
    }
    return names;
}

/// Explains the test of that name; else the one test that it matches as a filter.
cfg::Explanation explain_test(const CLI::App& command, const CfgInputs& inputs, const std::string& test,
                              const std::vector<std::string>& keys) {
    const auto program = read_cfg_inputs(command, inputs);
    auto explanation = cfg::explain(program, test, keys);
    const bool again =
        std::find(inputs.files.begin(), inputs.files.end(), "-") == inputs.files.end();  // else it is read up
    if (explanation.exists || !again) {
        return explanation;
    }
    const auto names = matching_names(command, inputs, test);
    if (names.size() == 1) {
        return cfg::explain(program, names.front(), keys);
    }
    if (names.size() > 1) {
        explanation.missing =
            fmt::format("as a filter it matches {}{} tests; name one of them",
                        names.size() > most_names ? "more than " : "", std::min(names.size(), most_names));
        explanation.removals.clear();
        explanation.nearest = {
            names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), most_names))};
    }
    return explanation;
}

}  // namespace

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
    command
        ->add_option("--test", state->test, "The test's full or short name, or a filter that only it matches")
        ->required();
    command->add_option("KEY", state->keys, "Keys; all of them if none is given");
    command->callback([state, command, &exit_status] {
        try {
            const auto explanation = explain_test(*command, state->inputs, state->test, state->keys);
            fmt::print("{}", cfg::to_text(explanation));
            exit_status = explanation.exists ? 0 : 1;
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", error.what());
            exit_status = 1;
        }
    });
}

}  // namespace vt
