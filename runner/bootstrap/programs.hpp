// SPDX-License-Identifier: GPL-2.0-or-later
/// \file programs.hpp
/// The programs and headers that a type of test needs or likes to have, and the packages they come in.
///
/// The lists are upstream's, and two of them are shown under the headings of the user's guide. What is
/// missing keeps nobody from working, though, unless no test of the type could run: upstream refuses to go on
/// without arping or gcc, which a handful of tests use; here such tests say themselves what they miss.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vt::bootstrap {

/// A program under one of several names, or a header in one of several places.
struct Requirement {
    std::vector<std::string> names;  ///< programs, looked up on PATH and in sbin; or absolute paths
    std::string debian;              ///< package, on Debian and Ubuntu; empty: it is in none
    std::string fedora;              ///< package, on Fedora and its kin; empty: it is in none
    std::string use;                 ///< what goes without it: "tests that …"
    bool for_all_tests = false;      ///< without it no test of the type can run
};

/// What is looked for under one of the two headings.
struct Requirements {
    std::vector<Requirement> mandatory;
    std::vector<Requirement> recommended;
};

/// What \p type wants on a host of architecture \p machine.
/// \param guest_os the guest asked for, empty for the default one: another one than JeOS needs no xz
Requirements requirements(const std::string& type, const std::string& machine, const std::string& guest_os);

/// Where it is: the first of its names that is there.
std::optional<std::filesystem::path> find(const Requirement& requirement);

/// The tool that installs packages on a host, and whose names it takes.
enum class PackageTool { apt_get, dnf, zypper };

/// By the text of /etc/os-release; where that tells nothing, dnf.
PackageTool package_tool(std::string_view os_release);

/// The command that installs all of \p missing, `apt-get install arping netcat-openbsd`; empty if no package
/// has any of it.
std::string install_command(const std::vector<Requirement>& missing, PackageTool tool);

}  // namespace vt::bootstrap
