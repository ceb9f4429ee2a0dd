// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Where this installation's files lie.
///
/// Nothing is compiled in but the layout: the prefix is found from the place of the code itself
/// (libvtcore.so, or the program that holds it), so that an installed tree and a build tree can be moved, and
/// so that Debian's own python3 finds the same files when it imports our modules. A build tree is laid out as
/// an installed one, with links to the sources.
#pragma once

#include <filesystem>

namespace vt {

/// One installation.
struct InstallDirs {
    std::filesystem::path prefix;

    /// This installation's. Throws Error if the code's own place cannot be told.
    static InstallDirs find();

    /// The `avocado-runner-vt` program.
    std::filesystem::path runner() const;
    /// libvtcore.so, libvtpython.so.
    std::filesystem::path libraries() const;
    /// The packages that test code imports.
    std::filesystem::path python() const { return libraries() / "python"; }
    /// What bootstrap copies: `cfg/share` of the sources.
    std::filesystem::path config_share() const;
    /// The provider that comes with the program.
    std::filesystem::path builtin_provider() const;
};

}  // namespace vt
