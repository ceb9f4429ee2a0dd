// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg_explain.hpp"

#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/explain.hpp"
#include "resolver/resolver.hpp"
#include "runner/commands/cfg_inputs.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {
namespace {

constexpr std::size_t most_names = 20;

/// Full names that a text stands for.
struct Candidates {
    std::vector<std::string> names;  ///< the first ones
    bool more = false;
};

/// The tests that \p filter lets through and \p wanted takes; none if it is no filter.
template <typename Wanted>
Candidates find_tests(const CLI::App& command, const CfgInputs& inputs, const std::string& filter,
                      Wanted wanted) {
    Candidates found;
    try {
        cfg::Expander expander(read_cfg_inputs(command, inputs, {cfg::Input::only(filter)}));
        while (expander.next_name() != nullptr) {
            const cfg::Dictionary& dictionary = *expander.complete();
            if (!wanted(dictionary)) {
                continue;
            }
            if (found.names.size() == most_names) {
                found.more = true;
                break;
            }
            found.names.emplace_back(dictionary.name);
        }
    } catch (const cfg::ParserError&) {  // a name that is no filter matches nothing
    }
    return found;
}

/// The tests that a list calls \p name. Labels of other files may stand between its own.
Candidates tests_listed_as(const CLI::App& command, const CfgInputs& inputs, const std::string& name) {
    return find_tests(command, inputs, replace_all(name, ".", ".."), [&](const cfg::Dictionary& dictionary) {
        return resolver::listed_name(dictionary) == name;
    });
}

/// Explains the test of that name, full, short or as a list has it; else the one that it matches as a filter.
cfg::Explanation explain_test(const CLI::App& command, const CfgInputs& inputs, const std::string& test,
                              const std::vector<std::string>& keys) {
    const auto program = read_cfg_inputs(command, inputs);
    auto explanation = cfg::explain(program, test, keys);
    const bool again =
        std::find(inputs.files.begin(), inputs.files.end(), "-") == inputs.files.end();  // else it is read up
    if (explanation.exists || !again) {
        return explanation;
    }
    const Candidates listed = tests_listed_as(command, inputs, test);
    if (!listed.names.empty()) {
        if (listed.names.size() > 1) {
            fmt::print(
                stderr,
                "{}{} tests are listed as {}; this is the first. To have another one explained, narrow "
                "it with --only, or name it in full: {}\n",
                listed.more ? "More than " : "", listed.names.size(), test, listed.names[1]);
        }
        return cfg::explain(program, listed.names.front(), keys);
    }
    const Candidates matching =
        find_tests(command, inputs, test, [](const cfg::Dictionary&) { return true; });
    if (matching.names.size() == 1) {
        return cfg::explain(program, matching.names.front(), keys);
    }
    if (matching.names.size() > 1) {
        explanation.missing = fmt::format("as a filter it matches {}{} tests; name one of them",
                                          matching.more ? "more than " : "", matching.names.size());
        explanation.removals.clear();
        explanation.nearest = matching.names;
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
        ->add_option("--test", state->test,
                     "The test's name, in full, short or as a list has it, or a filter that only it matches")
        ->required();
    command->add_option("KEY", state->keys, "Keys; all of them if none is given");
    command->callback([state, command, &exit_status] {
        try {
            const auto explanation = explain_test(*command, state->inputs, state->test, state->keys);
            fmt::print("{}", printable(cfg::to_text(explanation)));
            exit_status = explanation.exists ? 0 : 1;
        } catch (const Error& error) {
            fmt::print(stderr, "{}\n", printable(error.what()));
            exit_status = 1;
        }
    });
}

}  // namespace vt
