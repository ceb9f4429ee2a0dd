// SPDX-License-Identifier: GPL-2.0-or-later
/// \file programs.hpp
/// The programs that a type of test needs or likes to have, and the packages they come in.
///
/// Mandatory is what no test of the type can do without; upstream also demands what only some tests use
/// (tcpdump, arping, gcc), which is recommended here: such tests say themselves what they miss.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace vt::bootstrap {

/// One program, under one of several names.
struct Program {
    std::vector<std::string> names;
    std::string debian;  ///< package
    std::string fedora;  ///< package
};

struct ProgramList {
    std::vector<Program> mandatory;
    std::vector<Program> recommended;
};

/// What \p type wants on a host of architecture \p machine.
ProgramList programs_for(const std::string& type, const std::string& machine);

/// The first of its names that is there.
std::optional<std::filesystem::path> find(const Program& program);

/// The command that installs all of \p missing on this host's distribution.
std::string install_hint(const std::vector<Program>& missing);

}  // namespace vt::bootstrap
