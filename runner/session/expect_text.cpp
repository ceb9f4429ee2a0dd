// SPDX-License-Identifier: GPL-2.0-or-later
#include "runner/session/expect_text.hpp"

#include "runner/session/terminal.hpp"

#include <optional>

namespace vt {
namespace {

constexpr std::string_view line_ends = "\n\r\v\f";
constexpr std::string_view white_space = " \t\n\r\v\f";
/// Shorter commands do not wrap on any terminal, so a newline inside is output, not echo.
constexpr std::size_t shortest_wrap = 40;

std::string_view without_trailing(std::string_view text, std::string_view characters) {
    const std::size_t last = text.find_last_not_of(characters);
    return last == std::string_view::npos ? std::string_view() : text.substr(0, last + 1);
}

/// How much of \p text's beginning is what a line editor puts into an echo besides the line itself; 0 if none
/// of it is. \param may_break a newline may be a wrap too
std::size_t noise_length(std::string_view text, bool may_break) {
    if (text.empty()) {
        return 0;
    }
    if (text.front() == '\x1b') {
        return control_sequence_length(text);
    }
    // Where a line wraps, an editor prints a character (readline the next one or a blank, busybox a blank)
    // and goes back over it.
    if (text.size() > 2 && text[0] != '\n' && (text[1] == '\r' || text[1] == '\b') && text[2] != '\n') {
        return 2;
    }
    return text.front() == '\r' || text.front() == '\b' || (may_break && text.front() == '\n') ? 1 : 0;
}

/// The length of the echo of \p command at the beginning of \p output, line end included.
std::optional<std::size_t> echo_length(std::string_view output, std::string_view command) {
    const bool may_break = command.size() >= shortest_wrap;
    std::size_t at = 0;
    const auto skip_noise = [&](bool breaks) {
        while (const std::size_t noise = noise_length(output.substr(at), breaks)) {
            at += noise;
        }
    };
    for (const char wanted : command) {
        skip_noise(may_break && wanted != '\n');
        if (at == output.size() || output[at] != wanted) {
            return std::nullopt;
        }
        ++at;
    }
    skip_noise(false);
    if (at < output.size() && output[at] != '\n') {
        return std::nullopt;
    }
    return at < output.size() ? at + 1 : at;
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find_first_of(line_ends);
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            break;
        }
        const bool pair = text.substr(end, 2) == "\r\n";
        text.remove_prefix(end + (pair ? 2 : 1));
    }
    return lines;
}

std::string_view last_nonempty_line(std::string_view text) {
    const std::size_t last = text.find_last_not_of(white_space);
    if (last == std::string_view::npos) {
        return {};
    }
    const std::size_t before = text.find_last_of(line_ends, last);
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const std::size_t end = text.find_first_of(line_ends, last);
    return text.substr(begin, end == std::string_view::npos ? end : end - begin);
}

std::string_view last_word(std::string_view text) {
    text = without_trailing(text, white_space);
    const std::size_t before = text.find_last_of(white_space);
    return before == std::string_view::npos ? text : text.substr(before + 1);
}

bool has_command_echo(std::string_view output, std::string_view command) {
    const auto length = echo_length(output, command);
    return length && *length > 0 && output[*length - 1] == '\n';
}

std::string remove_command_echo(const std::string& output, std::string_view command) {
    if (command.empty()) {
        return output;
    }
    const auto length = echo_length(output, command);
    return length ? output.substr(*length) : output;
}

bool ends_with_prompt(std::string_view line, std::string_view known_prompt) {
    line = without_trailing(line, white_space);
    known_prompt = without_trailing(known_prompt, white_space);
    return !known_prompt.empty() && line.size() > known_prompt.size() && line.ends_with(known_prompt);
}

std::string remove_prompt(const std::string& output, std::string_view known_prompt) {
    const auto line = last_nonempty_line(output);
    if (line.empty()) {
        return {};
    }
    const auto begin = static_cast<std::size_t>(line.data() - output.data());
    if (ends_with_prompt(line, known_prompt)) {
        const auto shown = without_trailing(line, white_space);
        return output.substr(0, begin + shown.size() - without_trailing(known_prompt, white_space).size());
    }
    return output.substr(0, begin);
}

}  // namespace vt
