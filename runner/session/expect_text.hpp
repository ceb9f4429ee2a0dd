// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Telling echo, output and prompt apart in what a shell printed. Pure functions on text, so that they can be
/// fuzzed.
///
/// Lines end at LF, and for looking at the last line also at CR, VT and FF, as Python's splitlines() has it:
/// a progress bar that redraws itself by CR must not hide the prompt after it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vt {

/// The lines of \p text without their ends.
std::vector<std::string_view> lines_of(std::string_view text);
/// The last line that has more than white space; empty if there is none. Looks at the end only.
std::string_view last_nonempty_line(std::string_view text);
/// The last word; empty if there is none.
std::string_view last_word(std::string_view text);

/// True if \p output begins with the echo of \p command and the end of its line.
bool has_command_echo(std::string_view output, std::string_view command);

/// \p output without the echo of \p command at its beginning; bears the marks that a shell's line editor
/// leaves in the echo of a long line (wraps, control sequences). Unchanged if there is no echo.
std::string remove_command_echo(const std::string& output, std::string_view command);

/// True if \p line is \p known_prompt with something before it (output without a final newline).
bool ends_with_prompt(std::string_view line, std::string_view known_prompt);

/// \p output without its last non-empty line (the prompt). Where that line ends in \p known_prompt, only the
/// prompt goes, so that output without a final newline is kept.
std::string remove_prompt(const std::string& output, std::string_view known_prompt = {});

}  // namespace vt
