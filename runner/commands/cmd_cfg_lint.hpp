// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_cfg_lint.hpp
/// `cfg lint FILE [--format text|json]`.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `lint` below `cfg`. Exit status: 0 nothing found, 1 findings (a syntax error is one, of the rule
/// `syntax-error`).
void add_cfg_lint_command(CLI::App& cfg_command, int& exit_status);

}  // namespace vt
