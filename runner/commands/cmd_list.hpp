// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_list.hpp
/// The `list` subcommand: the tests that references give, for people.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `list`. Exit status: 0 all references matched something, 1 one did not or the configuration is wrong,
/// 2 wrong usage.
void add_list_command(CLI::App& app, int& exit_status);

}  // namespace vt
