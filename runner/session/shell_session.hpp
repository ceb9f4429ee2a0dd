// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// An interactive shell that a test talks to: aexpect's ShellSession, in C++.
///
/// There is one shell per session and it is known by its prompt, a regular expression (PCRE2). A command is
/// sent as a line; its output is what comes between its echo and the next prompt; its status comes from a
/// second command
/// (`echo $?`). That is fragile by nature, but it is what works over SSH, serial lines and whatever shell,
/// and what tests expect (`cd` stays in effect, a prompt can be changed).
///
/// A prompt is believed at once if it looks exactly like the one before; one that merely matches the
/// expression is believed after a short silence, since a part of an ordinary line may match too (aexpect
/// always waits for silence, 0.1 s a command).
#pragma once

#include "runner/session/shell_error.hpp"
#include "runner/session/terminal.hpp"
#include "runner/support/deadline.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vt {

/// How a shell behaves; parameters shell_prompt, shell_linesep, status_test_command.
struct ShellOptions {
    std::string prompt = R"([\#\$]\s*$)";
    std::string line_separator = "\n";
    std::string status_test_command = "echo $?";
    /// Put before what is logged of this session: usually the host.
    std::string log_prefix;
    /// Sees each line of output from the login on: the session's log. May be empty.
    LineHandler line_handler = {};
};

/// How one command is run; times in seconds.
struct CommandOptions {
    Seconds timeout{60};
    /// Sends an empty line now and then until the prompt is seen: for serial lines, where kernel messages may
    /// hide it.
    bool safe = false;
    /// Removes terminal control sequences from the output.
    bool strip_console_codes = false;
};

/// The index of the pattern that matched, and all that was read.
struct ExpectMatch {
    std::size_t index = 0;
    std::string output;
};

/// A logged-in shell. One thread at a time runs commands (others wait); close() works from any thread at any
/// time.
class ShellSession {
  public:
    ShellSession(std::unique_ptr<Terminal> terminal, ShellOptions options);
    ~ShellSession();
    ShellSession(const ShellSession&) = delete;
    ShellSession& operator=(const ShellSession&) = delete;

    /// Runs \p command; returns its output. Throws ShellCmdError if its status is none of \p ok_status (just
    /// 0 if empty), ShellTimeoutError, ShellProcessTerminatedError, ShellStatusError.
    std::string cmd(const std::string& command, const CommandOptions& options = {},
                    const std::vector<int>& ok_status = {});
    /// The exit status of \p command. Throws as cmd() but for ShellCmdError.
    int cmd_status(const std::string& command, const CommandOptions& options = {});
    /// The output of \p command, whatever its status; throws ShellTimeoutError, ShellProcessTerminatedError.
    std::string cmd_output(const std::string& command, const CommandOptions& options = {});
    /// Status and output of \p command.
    std::pair<int, std::string> cmd_status_output(const std::string& command,
                                                  const CommandOptions& options = {});

    /// Sends \p text as it is. As in aexpect, nothing is thrown if the connection is gone (it is logged):
    /// reading tells.
    void send(std::string_view text);
    /// Sends \p line and the line separator.
    void sendline(std::string_view line = {});
    /// Sends the control character of \p letter: 'c' for Ctrl-C; also [ \ ] ^ _ ?.
    void sendcontrol(char letter);

    /// Reads until there was nothing to read for \p quiet, at most for \p timeout; returns what came.
    std::string read_nonblocking(Seconds quiet = Seconds{0.1}, std::optional<Seconds> timeout = {});
    /// Reads until the last non-empty line matches the prompt; returns all that was read.
    /// Throws ExpectTimeoutError, ExpectProcessTerminatedError.
    std::string read_up_to_prompt(Seconds timeout = Seconds{60});
    /// Reads until the output so far matches one of \p patterns.
    ExpectMatch read_until_output_matches(const std::vector<std::string>& patterns,
                                          Seconds timeout = Seconds{60});
    /// Reads until the last non-empty line matches one of \p patterns.
    ExpectMatch read_until_last_line_matches(const std::vector<std::string>& patterns,
                                             Seconds timeout = Seconds{60});
    /// Reads until the last word matches one of \p patterns.
    ExpectMatch read_until_last_word_matches(const std::vector<std::string>& patterns,
                                             Seconds timeout = Seconds{60});
    /// Reads until any line matches one of \p patterns; later patterns go first, as in aexpect.
    ExpectMatch read_until_any_line_matches(const std::vector<std::string>& patterns,
                                            Seconds timeout = Seconds{60});

    /// True if an empty line is answered by anything within \p timeout.
    bool is_responsive(Seconds timeout = Seconds{5});
    /// False once the connection has ended; known at once, without asking the peer.
    bool is_alive() const;
    /// The shell's exit status once it has ended and the peer told it.
    std::optional<int> get_status() const;
    /// Ends the session; whoever waits in it gets a ShellProcessTerminatedError. Idempotent.
    void close();

    const ShellOptions& options() const { return options_; }
    void set_prompt(const std::string& prompt);
    void set_linesep(const std::string& separator);
    void set_status_test_command(const std::string& command);
    /// Each line of output goes to \p handler from now on (the session's log).
    void set_line_handler(LineHandler handler);

    /// Sends an empty line and reads up to the prompt that answers it, so that the prompt is known by its
    /// looks. Throws as read_up_to_prompt().
    void learn_prompt(Seconds timeout);

  private:
    using Matcher = std::function<std::optional<std::size_t>(const std::string& output)>;

    ExpectMatch read_until(const Matcher& match, const std::vector<std::string>& patterns,
                           const Deadline& deadline, bool settle_for_ever);
    std::string await_prompt(const Deadline& deadline, std::string_view command);
    void remember_prompt(const std::string& line);
    std::string run(const std::string& command, const CommandOptions& options);
    std::string read_safely(const std::string& command, const Deadline& deadline);
    std::string output_of(const std::string& read, const std::string& command, const CommandOptions& options);
    void write(std::string_view bytes, const Deadline& deadline);
    void log_sending(std::string_view how, const std::string& command) const;

    std::unique_ptr<Terminal> terminal_;
    ShellOptions options_;
    std::recursive_mutex busy_;  ///< held by the thread that talks to the shell
    std::string last_prompt_;    ///< the prompt line as it was last seen, without control sequences
};

}  // namespace vt
