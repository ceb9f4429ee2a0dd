// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The logger, the project's only singleton.
///
/// Layers say what they do here; where it goes (standard error, a test's log through the nrunner protocol) is
/// decided by the command that runs. Lines are passed on whole, one call of the sink a line, from any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <fmt/core.h>

namespace vt::log {

enum class Level { debug, info, warning, error };

/// The level's name as Avocado prints it: DEBUG, INFO, WARNING, ERROR.
std::string_view level_name(Level level);

/// Receives each line (without its newline) of at least the set level. Must not throw, may be called from any
/// thread, never twice at once.
using Sink = std::function<void(Level level, std::string_view logger, std::string_view line)>;

/// Sends lines to \p sink from now on; an empty one restores standard error ("HH:MM:SS LEVEL| line").
void set_sink(Sink sink);

/// Drops lines below \p level (default: debug).
void set_level(Level level);

/// Writes \p text, a line each where it has several, as from the logger \p logger ("vt" for the core).
void write(Level level, std::string_view logger, std::string_view text);

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::debug, "vt", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::info, "vt", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::warning, "vt", fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::error, "vt", fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace vt::log
