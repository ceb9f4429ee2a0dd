// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_cfg_explain.hpp
/// `cfg explain FILE --test NAME [KEY…]`.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `explain` below `cfg`. Exit status: 0 the test comes out, 1 it does not, or an error in the
/// configuration.
void add_cfg_explain_command(CLI::App& cfg_command, int& exit_status);

}  // namespace vt
