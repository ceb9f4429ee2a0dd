// SPDX-License-Identifier: GPL-2.0-or-later
/// \file runnable_kwargs.hpp
/// What a small runnable carries from the resolver to task-run: the plugin passes it through Avocado unread.
///
/// Keyword arguments `selection` (an object, selection.hpp) and `full_name`. A runnable without `selection`
/// is fat: its keyword arguments are the parameters themselves, as upstream's recipes have them.
///
/// Keyword arguments become words of task-run's command line, which every user of the host can read, and a
/// selection has the user's extra parameters, passwords among them. So where Avocado starts tasks on this
/// host, the plugin puts the selection into a file that only its user can read, and the command line has
/// `selection_file` in place of `selection`. A recipe, and a task on another host, has the selection itself.
#pragma once

#include "resolver/selection.hpp"
#include "runner/support/journal.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace vt::resolver {

/// The parsed keyword arguments of a small runnable.
struct SmallRunnable {
    Selection selection;
    std::string full_name;  ///< may be empty: then the uri names the test
};

/// The keyword arguments as a JSON object; nothing if they have neither `selection` nor `selection_file`,
/// that is if the runnable is fat. Throws SelectionError if the selection is broken, or its file is gone or
/// open to others.
std::optional<SmallRunnable> small_runnable(const nlohmann::json& kwargs);

/// Writes \p selection (its JSON) to a file of mode 0600 in the runtime directory's place for them,
/// journalled to go when \p owner, the job's process, is gone. Returns its path. Throws SystemError, Error.
std::filesystem::path write_selection_file(const nlohmann::json& selection, const ProcessId& owner);

/// Removes what write_selection_file() made. Throws Error if \p file is no such file.
void remove_selection_file(const std::filesystem::path& file);

}  // namespace vt::resolver
