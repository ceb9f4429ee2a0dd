// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_bootstrap.hpp
/// The `bootstrap` subcommand: sets up a data directory, as `avocado vt-bootstrap`.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `bootstrap`. Exit status: 0 the data directory can be used, 1 it cannot, 2 wrong usage.
void add_bootstrap_command(CLI::App& app, int& exit_status);

}  // namespace vt
