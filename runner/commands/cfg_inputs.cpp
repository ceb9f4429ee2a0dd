// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cfg_inputs.hpp"

#include "cfg/cache.hpp"
#include "runner/support/error.hpp"

#include <filesystem>
#include <iostream>
#include <map>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

namespace vt {
namespace {

/// All of standard input, but no more than a configuration may have.
std::string read_stdin(std::size_t limit) {
    std::string text;
    std::vector<char> piece(64U << 10);
    while (std::cin) {
        std::cin.read(piece.data(), static_cast<std::streamsize>(piece.size()));
        text.append(piece.data(), static_cast<std::size_t>(std::cin.gcount()));
        if (text.size() > limit) {
            throw Error(fmt::format("standard input has more than {} bytes (limit total_bytes)", limit));
        }
    }
    return text;
}

cfg::Input file_or_stdin(const std::string& path, const cfg::Limits& limits) {
    return path == "-" ? cfg::Input::string(read_stdin(limits.total_bytes), "<stdin>")
                       : cfg::Input::file(path);
}

cfg::Input assignment(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw CLI::ValidationError("--set", fmt::format("'{}' is not KEY=VALUE", text));
    }
    return cfg::Input::assign(text.substr(0, equals), text.substr(equals + 1));
}

cfg::Input input_of(const std::string& option, const std::string& text, const cfg::Limits& limits) {
    if (option == "--only") {
        return cfg::Input::only(text);
    }
    if (option == "--no") {
        return cfg::Input::no(text);
    }
    return option == "--set" ? assignment(text) : file_or_stdin(text, limits);
}

}  // namespace

void add_cfg_inputs(CLI::App& command, CfgInputs& inputs, bool many_files) {
    CLI::Option* files = command.add_option("FILE", inputs.files, "Configurations; - is standard input");
    if (!many_files) {
        files->expected(1)->allow_extra_args(false)->required();
    }
    const auto add = [&command](const char* name, std::vector<std::string>& values, const char* help) {
        command.add_option(name, values, help)->allow_extra_args(false);
    };
    add("--only", inputs.only, "FILTER: keep only what matches");
    add("--no", inputs.no, "FILTER: drop what matches");
    add("--set", inputs.set, "KEY=VALUE: set a key");
    command.add_flag("--defaults", inputs.options.defaults, "Of each block only the default variant");
    command
        .add_option("--expand", inputs.options.expand_defaults,
                    "Blocks to run in full in spite of --defaults")
        ->delimiter(',')
        ->allow_extra_args(false);
    command.add_option("--cache", inputs.cache, "Directory that keeps compiled configurations");
}

cfg::Program read_cfg_inputs(const CLI::App& command, const CfgInputs& inputs,
                             const std::vector<cfg::Input>& more) {
    // Each option keeps its values in their own order; which option came next is what parse_order() tells.
    std::map<const CLI::Option*, std::size_t> used;
    std::vector<cfg::Input> ordered;
    for (const CLI::Option* option : command.parse_order()) {
        const std::string name = option->get_name();
        if (name != "FILE" && name != "--only" && name != "--no" && name != "--set") {
            continue;
        }
        const std::size_t index = used[option]++;
        if (index < option->results().size()) {
            ordered.push_back(input_of(name, option->results()[index], inputs.options.limits));
        }
    }
    ordered.insert(ordered.end(), more.begin(), more.end());
    const auto directory =
        inputs.cache.empty() ? std::nullopt : std::optional<std::filesystem::path>(inputs.cache);
    return cfg::load(ordered, inputs.options, directory);
}

}  // namespace vt
