// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/nrunner/protocol.hpp"

#include "runner/support/file.hpp"
#include "runner/support/printable.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include <fmt/core.h>

namespace vt::nrunner {
namespace {

constexpr int usage_status = 2;  // as Python's argparse

std::string quoted_list(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "\"" : ", \"") + word + "\"";
    }
    return "[" + text + "]";
}

void print_capabilities(const RunnerDescription& runner) {
    fmt::print("{{\"runnables\": {}, \"commands\": {}, \"configuration_used\": {}}}\n",
               quoted_list(runner.kinds), quoted_list(protocol_commands()),
               quoted_list(runner.configuration_used));
}

/// KIND of `…/avocado-runner-KIND`, if that is one of ours.
std::string default_kind(const std::string& program, const RunnerDescription& runner) {
    constexpr std::string_view prefix = "avocado-runner-";
    const auto name = std::filesystem::path(program).filename().string();
    const auto kind = name.starts_with(prefix) ? name.substr(prefix.size()) : std::string();
    return std::find(runner.kinds.begin(), runner.kinds.end(), kind) != runner.kinds.end() ? kind
                                                                                           : std::string();
}

std::string recipe_text(const std::string& command, const std::vector<std::string>& arguments) {
    if (arguments.size() != 1) {
        throw UsageError(fmt::format("{} needs the path of one recipe", command));
    }
    try {
        return read_file(arguments.front(), std::size_t{32} << 20);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
}

Task parse(const std::string& command, const std::vector<std::string>& arguments, Form form,
           const std::string& default_kind) {
    if (!command.ends_with("-recipe")) {
        return task_from_arguments(arguments, form, default_kind);
    }
    const auto text = recipe_text(command, arguments);
    if (form == Form::task) {
        return task_from_recipe(text);
    }
    Task task;
    task.runnable = runnable_from_recipe(text);
    return task;
}

std::string help(const std::string& program, const std::string& command, Form form) {
    if (command == "capabilities") {
        return fmt::format("usage: {} capabilities\n", program);
    }
    return command.ends_with("-recipe") ? fmt::format("usage: {} {} RECIPE\n", program, command)
                                        : usage(form, program);
}

int run(const std::string& program, const std::string& command, const std::vector<std::string>& arguments,
        const RunnerDescription& runner, const TestBody& body) {
    const auto form = command.starts_with("task") ? Form::task : Form::runnable;
    const auto name = std::filesystem::path(program).filename().string();
    if (arguments.size() == 1 && (arguments.front() == "-h" || arguments.front() == "--help")) {
        fmt::print("{}", help(name, command, form));
        return 0;
    }
    try {
        if (command == "capabilities") {
            print_capabilities(runner);
            return 0;
        }
        auto task = parse(command, arguments, form, default_kind(program, runner));
        const auto& kind = task.runnable.kind;
        if (std::find(runner.kinds.begin(), runner.kinds.end(), kind) == runner.kinds.end()) {
            throw UsageError(fmt::format("this runner does not run runnables of kind \"{}\", only {}", kind,
                                         join(runner.kinds, ", ")));
        }
        SupervisorOptions options;
        options.task_messages = form == Form::task;
        options.watch_parent = !task.status_uris.empty();
        return run_task(std::move(task), body, options);
    } catch (const UsageError& error) {
        fmt::print(stderr, "{}{}: error: {}\n", help(name, command, form), name, printable(error.what()));
        return usage_status;
    }
}

}  // namespace

const std::vector<std::string>& protocol_commands() {
    static const std::vector<std::string> commands{"capabilities", "runnable-run", "runnable-run-recipe",
                                                   "task-run", "task-run-recipe"};
    return commands;
}

std::optional<int> run_protocol_command(const std::string& program, const std::vector<std::string>& words,
                                        const RunnerDescription& runner, const TestBody& body) {
    const auto& commands = protocol_commands();
    if (words.empty() || std::find(commands.begin(), commands.end(), words.front()) == commands.end()) {
        return std::nullopt;
    }
    return run(program, words.front(), {words.begin() + 1, words.end()}, runner, body);
}

}  // namespace vt::nrunner
