// SPDX-License-Identifier: GPL-2.0-or-later
/// \file selection_options.hpp
/// The `--vt-…` options that say which tests are meant, shared by `list`, `guests` and `archs`; names as
/// Avocado's.
#pragma once

#include "resolver/selection.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace vt {

/// Options of one subcommand; must live as long as its App.
class SelectionOptions {
  public:
    /// \param all false: only those that matter for guests
    void add_to(CLI::App& command, bool all);

    /// What was selected. Throws resolver::SelectionError.
    resolver::Selection selection() const;
    /// As it was given.
    std::string guest_os() const;

  private:
    std::map<std::string, std::string> settings_;  ///< by name, without "vt."
    std::vector<std::string> extra_params_;
    std::string data_dir_;
};

}  // namespace vt
