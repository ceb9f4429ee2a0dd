// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest prints, told apart into echo, output and prompt. Input: a command, a zero byte, the output.
#include "runner/session/expect_text.hpp"
#include "runner/session/shell_error.hpp"
#include "runner/session/terminal.hpp"
#include "runner/support/pattern.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

bool is_printable(std::string_view text) {
    for (const char c : text) {
        if (c < 0x20 || c > 0x7E) {
            return false;
        }
    }
    return true;
}

std::string filtered(std::string_view first, std::string_view second) {
    vt::TerminalFilter filter;
    std::string out = filter.feed(first);
    out += filter.feed(second);
    return out + filter.flush();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const vt::Pattern prompt(R"(^\[.*\][\#\$]\s*$)");
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const std::size_t zero = input.find('\0');
    const std::string command(input.substr(0, zero));
    const std::string output(zero == std::string_view::npos ? std::string_view() : input.substr(zero + 1));

    // Where the chunks end makes no difference.
    const std::size_t cut = output.empty() ? 0 : static_cast<unsigned char>(output[0]) % output.size();
    require(filtered(output, {}) == filtered(output.substr(0, cut), output.substr(cut)));

    // Nothing is made up: the echo goes from the beginning, the prompt from the end.
    require(output.ends_with(vt::remove_command_echo(output, command)));
    require(output.starts_with(vt::remove_prompt(output, command)));
    if (is_printable(command) && !command.empty()) {
        require(vt::remove_command_echo(command + "\n" + output, command) == output);
    }

    const auto line = vt::last_nonempty_line(output);
    require(output.find(line) != std::string::npos);
    vt::ends_with_prompt(line, command);
    vt::last_word(output);
    vt::lines_of(output);
    prompt.search(line);
    prompt.search(vt::strip_control_sequences(line));
    require(vt::python_repr(output).size() >= 2);

    vt::OutputBuffer buffer(1000);
    std::size_t lines = 0;
    buffer.set_line_handler([&](std::string_view) { ++lines; });
    buffer.append(output);
    buffer.finish(0, "end");
    require(buffer.take().size() <= 1000 + 64);
    return 0;
}
