// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Text helpers that the standard library lacks.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vt {

/// \p text without the ASCII white space at both ends.
std::string_view trim(std::string_view text);

/// The words of \p text, separated by ASCII white space.
std::vector<std::string> split_words(std::string_view text);

/// The parts of \p text between \p separator; always at least one.
std::vector<std::string> split(std::string_view text, char separator);

/// \p parts with \p separator between them.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// \p text with every \p from replaced by \p to.
std::string replace_all(std::string text, std::string_view from, std::string_view to);

/// \p argv as a line that a person can paste into a POSIX shell.
std::string shell_quote(const std::vector<std::string>& argv);

/// \p bytes as valid UTF-8: what is not becomes U+FFFD. For text that must go through JSON.
std::string to_valid_utf8(std::string_view bytes);

/// 8 letters and digits, for names that should be nobody else's.
std::string random_name();

/// A digest of \p content in hexadecimal, to notice changes with (not a cryptographic one).
std::string content_digest(std::string_view content);

/// The \p count names of \p candidates nearest to \p wanted by edit distance, the nearest first; distant ones
/// are left out.
std::vector<std::string> nearest(std::string_view wanted, const std::vector<std::string>& candidates,
                                 std::size_t count = 3);

}  // namespace vt
