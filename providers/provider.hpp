// SPDX-License-Identifier: GPL-2.0-or-later
/// \file provider.hpp
/// Test providers: directories with tests and their configuration, each defined by an `.ini` file.
///
/// A definition says where the directory is (`uri`) and which folder below it serves which type of test. The
/// format is Avocado-VT's (Python's configparser); `generic` and `multi_host_migration` are folders for every
/// type. The built-in provider has no `.ini`: it comes with the program and is always there.
///
/// What is ugly: a definition may name something this host does not have (a repository not fetched yet, a
/// folder that went away). That is no error here, it is a Provider whose root does not exist; whoever needs
/// its files says so.
#pragma once

#include "runner/support/error.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::providers {

/// A definition is wrong; what() names the file, the section and what was expected.
class ProviderError : public Error {
  public:
    using Error::Error;
};

/// The test types that Avocado-VT knows, in the order of its help text.
const std::vector<std::string>& known_types();

/// The folder that serves one type of test.
struct Section {
    std::string type;                  ///< `qemu`, …, `generic`, `multi_host_migration`
    std::filesystem::path subdir;      ///< absolute
    std::vector<std::string> configs;  ///< files of SUBDIR/cfg that belong into backends/TYPE/cfg

    bool operator==(const Section&) const = default;
};

/// One provider.
struct Provider {
    std::string name;                  ///< the definition's file name up to the first dot
    std::string uri;                   ///< as written; empty for the built-in one
    std::string branch;                ///< empty: upstream's default, `master`
    std::string ref;                   ///< tag or commit id; empty: the branch's last commit
    std::filesystem::path pubkey;      ///< absolute; empty: nothing has to be signed
    std::filesystem::path definition;  ///< the `.ini` file; empty for the built-in one
    std::filesystem::path root;        ///< its directory, absolute; need not exist
    std::vector<Section> sections;
    std::vector<std::string> ignored;  ///< names of sections that mean nothing here
    bool builtin = false;

    /// True if the directory is the user's and used in place (`file://`), or comes with the program.
    bool in_place() const;
    /// The folder for \p type, if it has one.
    const Section* section(std::string_view type) const;
    bool operator==(const Provider&) const = default;
};

/// The directories of \p data_dir where definitions may lie: upstream's, where the shipped ones go, then the
/// document's, for a user's own. Of two files of one name the later wins.
std::vector<std::filesystem::path> definition_dirs(const std::filesystem::path& data_dir);

/// Where fetched repositories lie (upstream's place).
std::filesystem::path downloads_dir(const std::filesystem::path& data_dir);

/// One definition. \param downloads where a provider that is not used in place has its directory. Throws
/// ProviderError; what() has no secrets.
Provider read_definition(const std::filesystem::path& ini, const std::filesystem::path& downloads);

/// True if both definitions say the same, wherever they lie.
bool same_definition(const Provider& one, const Provider& other);

/// The directory that a `file://` URI names, in either spelling (`file:///usr/x`, the document's
/// `file://usr/x`), with
/// `~` expanded; nothing for any other URI.
std::optional<std::filesystem::path> file_uri_path(const std::string& uri);

/// The provider that comes with the program, in directory \p root (usually
/// `<prefix>/share/…/providers/builtin`).
Provider builtin_provider(const std::filesystem::path& root);

/// All providers of a data directory in the order of their names, the built-in one last. A definition that is
/// wrong is left out with a line in the log.
std::vector<Provider> load_providers(const std::filesystem::path& data_dir,
                                     const std::filesystem::path& builtin_root);

}  // namespace vt::providers
