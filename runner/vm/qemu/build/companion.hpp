// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The processes that a machine needs beside QEMU: a TPM, file servers, NBD and storage servers.
///
/// Pure: what to start and where it will listen follows from description and placement. The start itself is
/// in companions.hpp.
#pragma once

#include "runner/vm/qemu/build/machine_spec.hpp"
#include "runner/vm/qemu/build/placement.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace vt::qemu {

/// One of them.
struct Companion {
    std::string name;                              ///< "swtpm-tpm0"; part of file names
    std::vector<std::string> argv;                 ///< stays in the foreground
    std::filesystem::path socket;                  ///< is there once it serves
    std::vector<std::vector<std::string>> before;  ///< commands that are run to their end before it
    std::string package;                           ///< what to install where the program is not there
};

/// Those of the machine, in the order in which they are to be started.
std::vector<Companion> companions_of(const MachineSpec& spec, const Placement& placement);

/// The socket of a companion in \p instance_dir.
std::filesystem::path companion_socket(const std::filesystem::path& instance_dir,
                                       const std::string& companion);

}  // namespace vt::qemu
