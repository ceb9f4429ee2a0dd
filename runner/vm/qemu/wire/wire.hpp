// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// How QEMU is told of a machine and of single nodes: pure writers.
///
/// The command line and QMP say the same in two ways, and both come from the same node. Where the binary
/// takes JSON on its command line, devices, objects and block nodes are written so, with typed values, as
/// nothing then depends on how a text is quoted; a property whose type the binary does not tell, or whose
/// text is none of its type, leaves the node to QEMU's own parser, which knows the right complaint.
#pragma once

#include "runner/vm/qemu/devices/machine.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace vt {
class Capabilities;
}

namespace vt::qemu {

/// A command for a monitor.
struct QmpCommand {
    std::string name;
    Value::Dict arguments;

    nlohmann::json json() const;
};

/// All of the machine's options and their values, in an order that QEMU can take. QEMU makes devices that are
/// written as text before those in JSON, so all are written in one form: in JSON unless one of them cannot
/// be, or \p others says that devices in text come from elsewhere (extra arguments of the user). Throws Error
/// for text with a NUL, ModelError for a circle.
std::vector<std::string> argv(const Machine& machine, const Capabilities& caps,
                              const std::vector<std::string>& others = {});

/// The command that adds \p node to a running machine. Throws ModelError for what can only be there from the
/// start.
QmpCommand qmp_add(const Machine& machine, const Node& node, const Capabilities& caps);

/// The command that takes it out (for a device: asks the guest to let go of it).
QmpCommand qmp_del(const Node& node);

/// \p value as part of a QEMU option: commas doubled. Throws Error for text with a NUL.
std::string option_value(std::string_view value);

/// The properties that say where \p node sits.
Props address_props(const Machine& machine, const Node& node);

}  // namespace vt::qemu
