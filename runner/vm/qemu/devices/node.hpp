// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// One thing of a machine: a device, a back end, the machine type itself, an option of the command line.
///
/// Everything that QEMU is told is a node, so that a start and a hot-plug go the same road. Nodes are shared:
/// a test may hold one that it unplugged, and plug it again.
#pragma once

#include "runner/vm/qemu/devices/bus.hpp"
#include "runner/vm/qemu/devices/value.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace vt::qemu {

/// How QEMU is told of it.
enum class Form {
    machine,   ///< -machine
    cpu,       ///< -cpu
    object,    ///< -object, object-add
    chardev,   ///< -chardev, chardev-add
    blockdev,  ///< -blockdev, blockdev-add
    drive,     ///< -drive, for a binary without the former
    netdev,    ///< -netdev, netdev_add
    device,    ///< -device, device_add
    option,    ///< -DRIVER with properties; the one without a name comes first, without its name
    plain      ///< -DRIVER and one value as it stands, or none
};

std::string_view name_of(Form form);

/// Where it is in its life.
enum class NodeState { planned, cold, plugging, live, unplugging, gone };

std::string_view name_of(NodeState state);

/// A node. Its properties do not hold its id, nor its address.
struct Node {
    std::string qid;  ///< its id in QEMU (a block node's node-name); made up for what has none there
    Form form = Form::device;
    std::string driver;  ///< QEMU's name of the type, of the option for options
    Props props;
    std::string extra;  ///< properties as a user wrote them ("a=b,c=d"), after all others
    Address address;
    std::vector<std::string> needs;  ///< qids of its back ends, which come before it
    std::string origin;  ///< the object of the parameters that it was made for ("image1"), or empty
    NodeState state = NodeState::planned;

    /// Same for QEMU: whatever its life.
    bool same_as(const Node& other) const;
    /// The text of a property, also one that the user wrote; "id", "driver", "bus" and "addr" are properties,
    /// too.
    std::string param(std::string_view name) const;
};

using NodePtr = std::shared_ptr<Node>;

}  // namespace vt::qemu
