// SPDX-License-Identifier: GPL-2.0-or-later
/// \file unicode.hpp
/// The few things about Unicode that the configuration language depends on, as Python's `str` sees them.
///
/// ASCII is decided inline; anything else is rare and may be slow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vt::cfg::unicode {

/// One decoded character and its length in bytes.
struct Character {
    char32_t code = 0;
    unsigned length = 0;
};

/// The character at `position` of valid UTF-8.
Character decode(std::string_view text, std::size_t position);

/// The character that ends right before `end` (which is greater than 0) of valid UTF-8.
Character decode_back(std::string_view text, std::size_t end);

/// Where the text stops being UTF-8 (no overlong forms, no surrogates), if it does.
std::optional<std::size_t> find_invalid(std::string_view text);

/// The number of characters in valid UTF-8.
std::size_t count(std::string_view text);

/// `str.isspace()` of one character.
bool is_space(char32_t code);

/// `str.isalnum()` of one character: letters and numbers of all scripts.
bool is_alnum(char32_t code);

/// Where `str.splitlines()` ends a line.
bool is_line_end(char32_t code);

/// `str.strip()`, and one side of it.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
std::string_view strip(std::string_view text);

}  // namespace vt::cfg::unicode
