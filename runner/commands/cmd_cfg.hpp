// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_cfg.hpp
/// The `cfg` subcommand: expands Cartesian configurations and prints them.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `cfg` to the command line. Its callback sets `exit_status`: 0 done (no results too), 1 an error in
/// the configuration or while writing, 2 wrong usage.
void add_cfg_command(CLI::App& app, int& exit_status);

}  // namespace vt
