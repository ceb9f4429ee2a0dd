// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/prompts.hpp"

#include "runner/support/log.hpp"

#include <array>
#include <string_view>

namespace vt {
namespace {

/// What a peer may be saying during a login.
enum class Question {
    are_you_sure,
    password,
    username,
    closed,
    refused,
    timed_out,
    lost,
    please_wait,
    warning,
    shell_prompt,
    escape_character,
    vcenter,
};

struct KnownQuestion {
    std::string_view pattern;
    Question question;
};

/// In the order in which they are tried, which is aexpect's; the shell's prompt stands where its pattern is
/// empty.
constexpr std::array<KnownQuestion, 16> known_questions{{
    {R"([Aa]re you sure)", Question::are_you_sure},
    {R"([Pp]assword:\s*)", Question::password},
    {R"(\(or (press|type) Control-D to continue\):\s*$)", Question::password},  // rescue mode, Red Hat
    {R"([Gg]ive.*[Ll]ogin:\s*$)", Question::password},                          // rescue mode, SUSE
    {R"((?<![Ll]ast )[Ll]ogin:\s*$)", Question::username},
    {R"([Cc]onnection.*closed)", Question::closed},
    {R"([Cc]onnection.*refused)", Question::refused},
    {R"([Pp]lease wait)", Question::please_wait},
    {R"([Ww]arning)", Question::warning},
    {R"([Ee]nter.*username)", Question::username},
    {R"([Ee]nter.*password)", Question::password},
    {R"([Cc]onnection timed out)", Question::timed_out},
    {"", Question::shell_prompt},
    {R"(Escape character is.*)", Question::escape_character},
    {R"(Command>)", Question::vcenter},
    {R"([Ll]ost connection)", Question::lost},
}};

/// A peer that asks to wait gets this long for its next word.
constexpr Seconds waiting_step{30};

std::vector<std::string> patterns_with(const std::string& prompt) {
    std::vector<std::string> patterns;
    patterns.reserve(known_questions.size());
    for (const auto& known : known_questions) {
        patterns.push_back(known.question == Question::shell_prompt ? prompt : std::string(known.pattern));
    }
    return patterns;
}

class PromptDialog {
  public:
    PromptDialog(ShellSession& session, const std::string& username, const std::string& password)
        : session_(session), username_(username), password_(password) {}

    /// Answers \p question; true when logged in.
    bool answer(Question question, const std::string& text) {
        switch (question) {
            case Question::are_you_sure:
                session_.sendline("yes");
                return false;
            case Question::password:
                give_password(text);
                return false;
            case Question::username:
                give_username(text);
                return false;
            case Question::closed:
                throw LoginError("Client said 'connection closed'", text);
            case Question::refused:
                throw LoginError("Client said 'connection refused'", text);
            case Question::timed_out:
                throw LoginError("Client said 'connection timeout'", text);
            case Question::lost:
                throw LoginError("Disconnected to vm on remote host", text);
            case Question::escape_character:
                session_.sendline();
                return false;
            case Question::vcenter:
                session_.sendline("shell.set --enabled True");
                session_.sendline("shell");
                return false;
            case Question::please_wait:
            case Question::warning:
                return false;
            case Question::shell_prompt:
                return true;
        }
        return false;
    }

  private:
    void give_password(const std::string& text) {
        if (passwords_given_ > 0) {
            throw LoginAuthenticationError("Got password prompt twice", text);
        }
        ++passwords_given_;
        session_.sendline(password_);
    }

    void give_username(const std::string& text) {
        if (usernames_given_ > 0) {
            throw LoginAuthenticationError("Got username prompt twice", text);
        }
        if (passwords_given_ > 0) {
            throw LoginAuthenticationError("Got username prompt after password prompt", text);
        }
        ++usernames_given_;
        session_.sendline(username_);
    }

    ShellSession& session_;
    const std::string& username_;
    const std::string& password_;
    int passwords_given_ = 0;
    int usernames_given_ = 0;
};

}  // namespace

std::string handle_prompts(ShellSession& session, const std::string& username, const std::string& password,
                           Seconds step, const Deadline& deadline) {
    const auto patterns = patterns_with(session.options().prompt);
    PromptDialog dialog(session, username, password);
    std::string seen;
    bool last_chance = false;
    for (;;) {
        try {
            const auto match =
                session.read_until_last_line_matches(patterns, std::min(step, deadline.remaining()));
            seen += match.output;
            const auto question = known_questions[match.index].question;
            if (question == Question::please_wait) {
                step = waiting_step;
            }
            if (dialog.answer(question, match.output)) {
                return seen;
            }
        } catch (const ExpectTimeoutError& error) {
            seen += error.output();
            // Kernel messages may have hidden a prompt: an empty line brings it back.
            if (last_chance || deadline.expired()) {
                throw LoginTimeoutError(error.output());
            }
            last_chance = true;
            session.sendline();
        } catch (const ExpectProcessTerminatedError& error) {
            throw LoginProcessTerminatedError(error.status(), error.output());
        }
    }
}

}  // namespace vt
