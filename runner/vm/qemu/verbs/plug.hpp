// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Plugging nodes into a running machine and taking them out.
///
/// The model goes first: it reserves the address, or says that there is none. Then QEMU is told, and what it
/// refuses leaves the model again. An unplug of a device is a request to the guest: it ends with QEMU's
/// event, the guest's refusal or the deadline, and only the first gives the address back.
#pragma once

#include "runner/support/deadline.hpp"
#include "runner/vm/errors.hpp"
#include "runner/vm/qemu/devices/machine.hpp"

#include <vector>

namespace vt {
class QmpMonitor;

/// QEMU refused to add it; what() has its words.
class HotplugError : public VMDeviceError {
  public:
    using VMDeviceError::VMDeviceError;
};

/// It is still there; what() says who refused.
class UnplugError : public VMDeviceError {
  public:
    using VMDeviceError::VMDeviceError;
};

/// The guest said that it does not let go of the device.
class UnplugRefusedError : public UnplugError {
  public:
    using UnplugError::UnplugError;
};

/// Neither the guest nor QEMU said anything in time.
class UnplugTimeoutError : public UnplugError {
  public:
    using UnplugError::UnplugError;
};

}  // namespace vt

namespace vt::qemu {

/// Adds \p node. Throws HotplugError, ModelError, AddressError, MonitorError (then it is in neither).
void plug(Machine& machine, const NodePtr& node, const Capabilities& caps, QmpMonitor& monitor,
          const Deadline& deadline);

/// Adds several, back ends first; all or none.
void plug(Machine& machine, const std::vector<NodePtr>& nodes, const Capabilities& caps, QmpMonitor& monitor,
          const Deadline& deadline);

/// Which back ends go with a device: block nodes, as Avocado-VT does it, or also its netdev, chardev and
/// objects made for it (threads and throttle groups, which are shared by nature, stay).
enum class Along { block_nodes, all };

/// Takes \p node out, and with a device its back ends that nobody else uses. A device that is asked to leave
/// and does not stays in the model. Throws UnplugError (QEMU's refusal), UnplugRefusedError,
/// UnplugTimeoutError, ModelError, MonitorError.
void unplug(Machine& machine, const NodePtr& node, QmpMonitor& monitor, const Deadline& deadline,
            Along along = Along::all);

}  // namespace vt::qemu
