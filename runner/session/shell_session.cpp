// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/shell_session.hpp"

#include "runner/session/expect_text.hpp"
#include "runner/support/log.hpp"
#include "runner/support/pattern.hpp"
#include "runner/support/strings.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace vt {
namespace {

/// Silence after which output that matches is believed to be complete; aexpect's value.
constexpr Seconds settle_time{0.1};
/// The same where the line that matches has ended already: a shell waits right behind its prompt, so it is
/// most likely none.
constexpr Seconds ended_line_settle_time{0.5};
/// How long a match anywhere in the output is let grow by more output.
constexpr Seconds settle_limit{1.0};
/// For the command that asks for the status; aexpect's value.
constexpr Seconds status_timeout{30};
/// How long a safe command waits before an empty line is sent, at first (aexpect's value) and at most.
constexpr Seconds first_nudge{0.5};
constexpr Seconds longest_nudge{8};
constexpr Seconds send_timeout{60};

std::vector<Pattern> compile(const std::vector<std::string>& expressions) {
    return {expressions.begin(), expressions.end()};
}

/// The first of \p patterns that matches \p text; empty expressions never do.
std::optional<std::size_t> first_match(const std::vector<Pattern>& patterns,
                                       const std::vector<std::string>& expressions, std::string_view text) {
    for (std::size_t i = 0; i < patterns.size(); ++i) {
        if (!expressions[i].empty() && patterns[i].search(text)) {
            return i;
        }
    }
    return std::nullopt;
}

/// As first_match(), on \p line as it is or, where control sequences hide the match, without them.
std::optional<std::size_t> match_line(const std::vector<Pattern>& patterns,
                                      const std::vector<std::string>& expressions, std::string_view line) {
    auto found = first_match(patterns, expressions, line);
    if (!found && line.find('\x1b') != std::string_view::npos) {
        found = first_match(patterns, expressions, strip_control_sequences(line));
    }
    return found;
}

std::optional<int> status_in(const std::string& output) {
    for (const auto& line : split(strip_control_sequences(output), '\n')) {
        const auto digits = trim(line);
        int status = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
        if (!digits.empty() && error == std::errc() && end == digits.data() + digits.size()) {
            return status;
        }
    }
    return std::nullopt;
}

}  // namespace

ShellSession::ShellSession(std::unique_ptr<Terminal> terminal, ShellOptions options)
    : terminal_(std::move(terminal)), options_(std::move(options)) {
    if (options_.line_handler) {
        terminal_->output().set_line_handler(options_.line_handler);
    }
}

ShellSession::~ShellSession() {
    close();
}

std::string ShellSession::cmd(const std::string& command, const CommandOptions& options,
                              const std::vector<int>& ok_status) {
    auto [status, output] = cmd_status_output(command, options);
    const bool ok = ok_status.empty()
                        ? status == 0
                        : std::find(ok_status.begin(), ok_status.end(), status) != ok_status.end();
    if (!ok) {
        throw ShellCmdError(command, status, output);
    }
    return std::move(output);
}

int ShellSession::cmd_status(const std::string& command, const CommandOptions& options) {
    return cmd_status_output(command, options).first;
}

std::string ShellSession::cmd_output(const std::string& command, const CommandOptions& options) {
    const std::lock_guard lock(busy_);
    return run(command, options);
}

std::pair<int, std::string> ShellSession::cmd_status_output(const std::string& command,
                                                            const CommandOptions& options) {
    const std::lock_guard lock(busy_);
    auto output = run(command, options);
    std::optional<int> status;
    try {
        CommandOptions asking = options;
        asking.timeout = status_timeout;
        status = status_in(run(options_.status_test_command, asking));
    } catch (const ShellError& error) {
        log::debug("asking for the exit status failed: {}", error.what());
        throw ShellStatusError(command, output);
    }
    if (!status) {
        throw ShellStatusError(command, output);
    }
    return {*status, std::move(output)};
}

std::string ShellSession::run(const std::string& command, const CommandOptions& options) {
    log_sending(options.safe ? "Sending command (safe)" : "Sending command", command);
    const auto deadline = Deadline::after(options.timeout);
    terminal_->output().take();
    write(command + options_.line_separator, deadline);
    try {
        const auto read = options.safe ? read_safely(command, deadline) : await_prompt(deadline, command);
        return output_of(read, command, options);
    } catch (const ExpectTimeoutError& error) {
        throw ShellTimeoutError(command, remove_command_echo(error.output(), command));
    } catch (const ExpectProcessTerminatedError& error) {
        throw ShellProcessTerminatedError(command, error.status(),
                                          remove_command_echo(error.output(), command));
    }
}

std::string ShellSession::read_safely(const std::string& command, const Deadline& deadline) {
    std::string read;
    // A command that takes long is not helped by an empty line twice a second.
    for (Seconds interval = first_nudge;; interval = std::min(2 * interval, longest_nudge)) {
        try {
            return read +
                   await_prompt(deadline.sooner(Deadline::after(interval)), read.empty() ? command : "");
        } catch (const ExpectTimeoutError& error) {
            read += error.output();
            if (deadline.expired()) {
                throw ExpectTimeoutError({options_.prompt}, read);
            }
            write(options_.line_separator, deadline);
        } catch (const ExpectProcessTerminatedError& error) {
            throw ExpectProcessTerminatedError(error.patterns(), error.status(), read + error.output());
        }
    }
}

std::string ShellSession::output_of(const std::string& read, const std::string& command,
                                    const CommandOptions& options) {
    const auto output = remove_prompt(remove_command_echo(read, command), last_prompt_);
    return options.strip_console_codes ? strip_control_sequences(output) : output;
}

std::string ShellSession::await_prompt(const Deadline& deadline, std::string_view command) {
    const std::vector<std::string> expressions{options_.prompt};
    const auto patterns = compile(expressions);
    auto& source = terminal_->output();
    std::string output;
    std::optional<Deadline> settled;  ///< set while the last line looks like a prompt
    for (;;) {
        const bool more = source.wait(settled ? deadline.sooner(*settled) : deadline);
        if (!more && settled) {
            remember_prompt(strip_control_sequences(last_nonempty_line(output)));
            return output;
        }
        if (!more && source.finished()) {
            throw ExpectProcessTerminatedError(expressions, source.exit_status(), output);
        }
        if (!more) {
            throw ExpectTimeoutError(expressions, output);
        }
        output += source.take();
        const auto line = last_nonempty_line(output);
        const auto shown = strip_control_sequences(line);
        // Behind output without a final newline even an anchored expression must not miss the prompt.
        if (!match_line(patterns, expressions, line) && !ends_with_prompt(shown, last_prompt_)) {
            settled.reset();
            continue;
        }
        const bool looks_the_same = shown == last_prompt_;
        if (looks_the_same && !command.empty() && has_command_echo(output, command)) {
            return output;
        }
        settled = Deadline::after(output.back() == '\n' ? ended_line_settle_time : settle_time);
    }
}

void ShellSession::remember_prompt(const std::string& line) {
    // Output without a final newline stands before the prompt; that is not what it looks like.
    if (!ends_with_prompt(line, last_prompt_)) {
        last_prompt_ = line;
    }
}

ExpectMatch ShellSession::read_until(const Matcher& match, const std::vector<std::string>& patterns,
                                     const Deadline& deadline, bool settle_for_ever) {
    const std::lock_guard lock(busy_);
    auto& source = terminal_->output();
    std::string output;
    std::optional<std::size_t> found;
    std::optional<Deadline> grown;  ///< when growing ends, whatever comes
    for (;;) {
        const auto limit = !found ? deadline : deadline.sooner(Deadline::after(settle_time));
        const bool more = source.wait(limit);
        if (more) {
            output += source.take();
            found = match(output);
            if (found && !grown) {
                grown = Deadline::after(settle_limit);
            }
        }
        if (found && (!more || (!settle_for_ever && grown->expired()))) {
            return {*found, std::move(output)};
        }
        if (!more && source.finished()) {
            throw ExpectProcessTerminatedError(patterns, source.exit_status(), output);
        }
        if (deadline.expired()) {
            if (found) {
                return {*found, std::move(output)};
            }
            throw ExpectTimeoutError(patterns, output);
        }
    }
}

void ShellSession::send(std::string_view text) {
    write(text, Deadline::after(send_timeout));
}

void ShellSession::sendline(std::string_view line) {
    write(std::string(line) + options_.line_separator, Deadline::after(send_timeout));
}

void ShellSession::sendcontrol(char letter) {
    // As terminals do: Ctrl clears the upper bits; '?' is DEL.
    const char control =
        letter == '?' ? '\x7f' : static_cast<char>(static_cast<unsigned char>(letter) & 0x1FU);
    write(std::string_view(&control, 1), Deadline::after(send_timeout));
}

void ShellSession::write(std::string_view bytes, const Deadline& deadline) {
    try {
        terminal_->write(bytes, deadline);
    } catch (const Error& error) {
        log::warning("{}sending {} bytes failed: {}",
                     options_.log_prefix.empty() ? "" : "[" + options_.log_prefix + "] ", bytes.size(),
                     error.what());
    }
}

void ShellSession::log_sending(std::string_view how, const std::string& command) const {
    const auto tag = options_.log_prefix.empty() ? std::string() : "[" + options_.log_prefix + "] ";
    log::debug("{}{}: {}", tag, how, command);
}

std::string ShellSession::read_nonblocking(Seconds quiet, std::optional<Seconds> timeout) {
    const std::lock_guard lock(busy_);
    const auto deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
    auto& source = terminal_->output();
    std::string output;
    while (source.wait(deadline.sooner(Deadline::after(quiet)))) {
        output += source.take();
        if (deadline.expired()) {
            break;
        }
    }
    return output;
}

std::string ShellSession::read_up_to_prompt(Seconds timeout) {
    const std::lock_guard lock(busy_);
    return await_prompt(Deadline::after(timeout), {});
}

ExpectMatch ShellSession::read_until_output_matches(const std::vector<std::string>& patterns,
                                                    Seconds timeout) {
    const auto compiled = compile(patterns);
    return read_until([&](const std::string& output) { return first_match(compiled, patterns, output); },
                      patterns, Deadline::after(timeout), false);
}

ExpectMatch ShellSession::read_until_last_line_matches(const std::vector<std::string>& patterns,
                                                       Seconds timeout) {
    const auto compiled = compile(patterns);
    return read_until(
        [&](const std::string& output) { return match_line(compiled, patterns, last_nonempty_line(output)); },
        patterns, Deadline::after(timeout), true);
}

ExpectMatch ShellSession::read_until_last_word_matches(const std::vector<std::string>& patterns,
                                                       Seconds timeout) {
    const auto compiled = compile(patterns);
    return read_until(
        [&](const std::string& output) { return match_line(compiled, patterns, last_word(output)); },
        patterns, Deadline::after(timeout), true);
}

ExpectMatch ShellSession::read_until_any_line_matches(const std::vector<std::string>& patterns,
                                                      Seconds timeout) {
    const auto compiled = compile(patterns);
    const auto match = [&](const std::string& output) -> std::optional<std::size_t> {
        for (std::size_t i = 0; i < compiled.size(); ++i) {
            for (const auto line : lines_of(output)) {
                if (!patterns[i].empty() && compiled[i].search(line)) {
                    return i;
                }
            }
        }
        return std::nullopt;
    };
    return read_until(match, patterns, Deadline::after(timeout), false);
}

bool ShellSession::is_responsive(Seconds timeout) {
    const std::lock_guard lock(busy_);
    const auto deadline = Deadline::after(timeout);
    auto& source = terminal_->output();
    source.take();
    write(options_.line_separator, deadline);
    while (source.wait(deadline)) {
        if (!trim(source.take()).empty()) {
            return true;
        }
    }
    return false;
}

void ShellSession::learn_prompt(Seconds timeout) {
    const std::lock_guard lock(busy_);
    sendline();
    read_up_to_prompt(timeout);
}

bool ShellSession::is_alive() const {
    return !terminal_->output().finished();
}

std::optional<int> ShellSession::get_status() const {
    return terminal_->output().exit_status();
}

void ShellSession::close() {
    terminal_->close();
}

void ShellSession::set_prompt(const std::string& prompt) {
    const std::lock_guard lock(busy_);
    options_.prompt = prompt;
}

void ShellSession::set_linesep(const std::string& separator) {
    const std::lock_guard lock(busy_);
    options_.line_separator = separator;
}

void ShellSession::set_status_test_command(const std::string& command) {
    const std::lock_guard lock(busy_);
    options_.status_test_command = command;
}

void ShellSession::set_line_handler(LineHandler handler) {
    terminal_->output().set_line_handler(std::move(handler));
}

}  // namespace vt
