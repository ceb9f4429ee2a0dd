// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The model held against the QEMU that it describes.
///
/// A test may call it after anything that it did; a kept VM is checked by it before the next test gets it.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/vm/qemu/devices/machine.hpp"

#include <set>
#include <string>
#include <vector>

namespace vt {
class QmpMonitor;
}

namespace vt::qemu {

/// What differs, a sentence each; empty if nothing does. Devices (with their PCI addresses), objects, block
/// nodes are compared both ways, character devices only for those that the model has. \p foreign: ids that
/// are not the model's business, for instance of extra arguments. Throws MonitorError.
std::vector<std::string> compare_with_qemu(const Machine& machine, QmpMonitor& monitor,
                                           const Deadline& deadline,
                                           const std::set<std::string>& foreign = {});

/// Ids and node names among arguments that users add to the command line.
std::set<std::string> ids_in_arguments(const std::vector<std::string>& arguments);

}  // namespace vt::qemu
