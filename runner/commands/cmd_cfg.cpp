// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg.hpp"

#include "cfg/cache.hpp"
#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/format.hpp"
#include "cfg/parser.hpp"

#include <cerrno>
#include <csignal>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <unistd.h>

namespace vt {
namespace {

constexpr std::size_t output_buffer = 256U << 10;

/// The reader of a pipe has gone away.
struct ClosedPipe {};

/// Standard output, written in large pieces.
class Output {
  public:
    Output() { buffer_.reserve(output_buffer + (64U << 10)); }

    std::string& buffer() noexcept { return buffer_; }

    /// Writes what there is if it is worth a call, or in any case.
    void flush(bool always) {
        if (!always && buffer_.size() < output_buffer) {
            return;
        }
        std::size_t done = 0;
        while (done < buffer_.size()) {
            const ssize_t wrote = ::write(STDOUT_FILENO, buffer_.data() + done, buffer_.size() - done);
            if (wrote < 0 && errno == EPIPE) {
                throw ClosedPipe();
            }
            if (wrote < 0 && errno != EINTR) {
                throw SystemError("write the dictionaries to standard output", errno);
            }
            done += wrote > 0 ? static_cast<std::size_t>(wrote) : 0;
        }
        buffer_.clear();
    }

  private:
    std::string buffer_;
};

enum class Format { names, full_names, jsonl, text };

struct CfgOptions {
    std::vector<cfg::Input> inputs;
    cfg::Options options;
    Format format = Format::names;
    bool count = false;
    std::string cache;
    std::vector<std::string> files;
    std::vector<std::string> only;
    std::vector<std::string> no;
    std::vector<std::string> set;
};

cfg::Input file_or_stdin(const std::string& path) {
    if (path != "-") {
        return cfg::Input::file(path);
    }
    std::string text((std::istreambuf_iterator<char>(std::cin)), std::istreambuf_iterator<char>());
    return cfg::Input::string(std::move(text), "<stdin>");
}

cfg::Input assignment(const std::string& text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
        throw CLI::ValidationError("--set", fmt::format("'{}' is not KEY=VALUE", text));
    }
    return cfg::Input::assign(text.substr(0, equals), text.substr(equals + 1));
}

void print_all(const cfg::Program& program, Format format) {
    Output output;
    cfg::Expander expander(program);
    cfg::JsonWriter json(program);
    const bool names = format == Format::names || format == Format::full_names;
    std::size_t number = 0;
    try {
        while (const cfg::Dictionary* dictionary = names ? expander.next_name() : expander.next()) {
            ++number;
            std::string& out = output.buffer();
            if (names) {
                out += format == Format::names ? dictionary->shortname : dictionary->name;
                out += '\n';
            } else if (format == Format::jsonl) {
                json.append(out, *dictionary);
                out += '\n';
            } else {
                cfg::append_text(out, *dictionary, number, false, true);
            }
            // The first one shows at once, the rest in large pieces.
            output.flush(number == 1);
        }
    } catch (const ClosedPipe&) {
        throw;
    } catch (...) {
        output.flush(true);
        throw;
    }
    output.flush(true);
}

int run(const CfgOptions& options) {
    // A closed pipe is seen as EPIPE, not as the death of the process.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const auto directory =
            options.cache.empty() ? std::nullopt : std::optional<std::filesystem::path>(options.cache);
        const cfg::Program program = cfg::load(options.inputs, options.options, directory);
        if (options.count) {
            Output output;
            output.buffer() = fmt::format("{}\n", cfg::count_dictionaries(program));
            output.flush(true);
        } else {
            print_all(program, options.format);
        }
    } catch (const ClosedPipe&) {
        return 0;
    } catch (const Error& error) {
        fmt::print(stderr, "{}\n", error.what());
        return 1;
    }
    return 0;
}

/// The inputs in the order of the command line. Each option's values are in their own order; which option
/// came next is what parse_order() tells.
std::vector<cfg::Input> ordered_inputs(const CLI::App& command) {
    std::map<const CLI::Option*, std::size_t> used;
    std::vector<cfg::Input> inputs;
    for (const CLI::Option* option : command.parse_order()) {
        const std::string name = option->get_name();
        if (name != "files" && name != "--only" && name != "--no" && name != "--set") {
            continue;
        }
        const std::size_t index = used[option]++;
        if (index >= option->results().size()) {
            continue;
        }
        const std::string& text = option->results()[index];
        if (name == "files") {
            inputs.push_back(file_or_stdin(text));
        } else if (name == "--only") {
            inputs.push_back(cfg::Input::only(text));
        } else if (name == "--no") {
            inputs.push_back(cfg::Input::no(text));
        } else {
            inputs.push_back(assignment(text));
        }
    }
    return inputs;
}

}  // namespace

void add_cfg_command(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<CfgOptions>();
    CLI::App* command = app.add_subcommand("cfg", "Expand Cartesian configurations");
    command->footer(
        "Files and statements act in the order in which they stand on the command line; - reads standard "
        "input.");
    const auto add = [&](const std::string& name, std::vector<std::string>& values, const std::string& help) {
        return command->add_option(name, values, help)->allow_extra_args(false);
    };
    command->add_option("files", options->files, "Configurations; - is standard input")->required();
    add("--only", options->only, "FILTER: keep only what matches");
    add("--no", options->no, "FILTER: drop what matches");
    add("--set", options->set, "KEY=VALUE: set a key");
    command->add_flag("--defaults", options->options.defaults, "Of each block only the default variant");
    command
        ->add_option("--expand", options->options.expand_defaults,
                     "Blocks to run in full in spite of --defaults")
        ->delimiter(',');
    const std::map<std::string, Format> formats = {{"names", Format::names},
                                                   {"full-names", Format::full_names},
                                                   {"jsonl", Format::jsonl},
                                                   {"text", Format::text}};
    command->add_option("--format", options->format, "names, full-names, jsonl or text")
        ->transform(CLI::CheckedTransformer(formats));
    command->add_flag("--count", options->count, "Print only how many dictionaries come out");
    command->add_option("--cache", options->cache, "Directory that keeps compiled configurations");
    command->callback([options, command, &exit_status] {
        options->inputs = ordered_inputs(*command);
        exit_status = run(*options);
    });
}

}  // namespace vt
