// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// QEMU's block tests as files: which file is one, what it is called, its groups, and how a folder of them is
/// selected from.
///
/// The format is that of tests/qemu-iotests in QEMU's sources: an executable file whose first line names bash
/// or python3, groups in a line `# group: rw auto` among the first lines (a file `group` beside them before
/// QEMU 6.0), and the expected output beside it.
#pragma once

#include "runner/support/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::block {

/// What a script is written in; `program`: it is executed as it is.
enum class Language { python, bash, program };

/// One script.
struct Script {
    std::filesystem::path file;  ///< absolute
    std::string name;            ///< "030", "mirror-top-perms"
    Language language = Language::program;
    std::vector<std::string> groups;  ///< in their order, without doubles

    /// The script \p file, or nothing if that is no block test. Never throws for what a file holds.
    static std::optional<Script> read(const std::filesystem::path& file);
    bool in_group(std::string_view group) const;
};

/// What `check` selects by.
struct Selection {
    std::vector<std::string> names;     ///< "030", "tests/vvfat", a path; empty: all
    std::vector<std::string> groups;    ///< only those in one of these
    std::vector<std::string> excluded;  ///< none of those in one of these
    std::string start_from;             ///< leaves out those before this one
};

/// A name, a folder or a group that is not there.
class SelectionError : public Error {
  public:
    using Error::Error;
};

/// The scripts of \p folder (and its folder `tests`) that \p selection means, sorted by name. Names are
/// looked up in \p folder, in its `tests`, and as paths. A `group` or `group.local` file adds groups. Throws
/// SelectionError.
std::vector<Script> select_scripts(const std::filesystem::path& folder, const Selection& selection);

}  // namespace vt::block
