// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/commands/cmd_cfg.hpp"

#include "cfg/errors.hpp"
#include "cfg/expander.hpp"
#include "cfg/format.hpp"
#include "runner/commands/cfg_inputs.hpp"
#include "runner/commands/cmd_cfg_explain.hpp"
#include "runner/commands/cmd_cfg_lint.hpp"
#include "runner/support/printable.hpp"

#include <cerrno>
#include <csignal>
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
    CfgInputs inputs;
    Format format = Format::names;
    bool count = false;
};

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

int run(const CLI::App& command, const CfgOptions& options) {
    // A closed pipe is seen as EPIPE, not as the death of the process.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        const cfg::Program program = read_cfg_inputs(command, options.inputs);
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
        fmt::print(stderr, "{}\n", printable(error.what()));
        return 1;
    }
    return 0;
}

}  // namespace

void add_cfg_command(CLI::App& app, int& exit_status) {
    const auto options = std::make_shared<CfgOptions>();
    CLI::App* command = app.add_subcommand("cfg", "Expand Cartesian configurations, explain and check them");
    command->footer(
        "Files and statements act in the order in which they stand on the command line; - reads standard "
        "input.");
    add_cfg_inputs(*command, options->inputs, true);
    const std::map<std::string, Format> formats = {{"names", Format::names},
                                                   {"full-names", Format::full_names},
                                                   {"jsonl", Format::jsonl},
                                                   {"text", Format::text}};
    command->add_option("--format", options->format, "names, full-names, jsonl or text")
        ->transform(CLI::CheckedTransformer(formats));
    command->add_flag("--count", options->count, "Print only how many dictionaries come out");
    add_cfg_explain_command(*command, exit_status);
    add_cfg_lint_command(*command, exit_status);
    command->callback([options, command, &exit_status] {
        if (!command->get_subcommands().empty()) {
            return;
        }
        if (options->inputs.files.empty()) {
            throw CLI::RequiredError("FILE");
        }
        exit_status = run(*command, *options);
    });
}

}  // namespace vt
