// SPDX-License-Identifier: GPL-2.0-or-later
/// \file cmd_resolve.hpp
/// The `resolve` subcommand: the tests that references give, for the Avocado plugin.
///
/// Reads one JSON object from standard input: `references` (a list), `settings` (flat, `vt.type` …),
/// `data_dir`. Writes one: `selection` (to be passed on in each runnable) and `resolutions`, a list of
/// objects with `reference`, `names`, `full_names`, and `info` where nothing was found; or `error`, where
/// nothing could be resolved at all.
#pragma once

namespace CLI {
class App;
}

namespace vt {

/// Adds `resolve`. Exit status: 0 an answer was written (also one with `error`), 2 the request cannot be
/// read.
void add_resolve_command(CLI::App& app, int& exit_status);

}  // namespace vt
