// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Text of files, guests and programs as a terminal may show it.
///
/// What a guest prints, a file holds or QEMU says is anybody's: an escape sequence in it would move the
/// cursor, change the window's title or worse, as soon as a person looks at a log with `cat`. Every door to a
/// person (terminal, debug.log, logs of sessions and consoles) escapes by the one function below; code that
/// compares text sees it as it came.
///
/// Escaped, as `\x1b` or `\u009b`, are control characters but line feed and tab, and the characters that turn
/// the direction of writing. Bytes that are no UTF-8 become U+FFFD. A carriage return before a line feed is
/// dropped. A backslash stays one: the text is for people, not for reading back.
#pragma once

#include <string>
#include <string_view>

namespace vt {

/// \p bytes with everything escaped that a terminal would obey; always valid UTF-8.
std::string printable(std::string_view bytes);

/// As printable(), in one line: line feeds are escaped, too.
std::string printable_line(std::string_view bytes);

}  // namespace vt
