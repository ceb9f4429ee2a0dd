// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_guests.hpp
/// The `guests` and `archs` subcommands, as `avocado vt-list-guests` and `vt-list-archs`.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Add `guests` and `archs`. Exit status: 0, 1 the configuration is wrong, 2 wrong usage.
void add_guests_command(CLI::App& app, int& exit_status);
void add_archs_command(CLI::App& app, int& exit_status);

}  // namespace vt
