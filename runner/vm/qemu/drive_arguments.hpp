// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The part of QEMU's argv that attaches disks, CDs and floppies; internal to command_line().
///
/// Node names are Avocado-VT's (`drive_NAME` over `file_NAME`, device id NAME), since block tests ask QEMU
/// for them.
#pragma once

#include "runner/vm/qemu/command_line.hpp"

#include <string>
#include <vector>

namespace vt::qemu {

/// Appends -blockdev and -device for every drive, and the host adapters that they need.
void add_drives(std::vector<std::string>& argv, const MachineSpec& machine, const Placement& placement);

}  // namespace vt::qemu
