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

#include <nlohmann/json_fwd.hpp>

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
    /// The guest as it was given; nothing if it was not. An empty one is not the same.
    std::optional<std::string> guest_os() const;
    /// The settings that the options mean, as Avocado names them.
    nlohmann::json settings() const;

  private:
    std::map<std::string, std::optional<std::string>> settings_;  ///< by name, without "vt."
    bool short_names_ = false;
    std::vector<std::string> extra_params_;
    std::string data_dir_;
};

}  // namespace vt
