# SPDX-License-Identifier: GPL-2.0-or-later
"""vm.devices: the devices of a running machine."""

from virttest.qemu_devices import qdevices, utils

PLUG_TIMEOUT = 60


class DevContainer:
    """The devices of a running machine. What it holds is the core's model, not a copy of it."""

    def __init__(self, core):
        self._core = core
        self._handles = {}

    def _handle(self, node):
        """One node has one handle, so that what a test sets on it stays."""
        known = self._handles.get(node.qid + "/" + node.form)
        if known is None or known._core is not node:
            known = qdevices.QBaseDevice._of_core(node)
            self._handles[node.qid + "/" + node.form] = known
        return known

    def _handles_of(self, nodes):
        return [self._handle(node) for node in nodes]

    @property
    def qemu_version(self):
        """"7.2.22"."""
        return self._core.version().split()[0]

    def has_device(self, device):
        """Whether QEMU can make it."""
        return self._core.has_device(device)

    def has_object(self, obj):
        """Whether QEMU can make it."""
        return self._core.has_object(obj)

    def has_option(self, option):
        """Whether QEMU tells of this option."""
        return self._core.has_option(option)

    def has_qmp_cmd(self, cmd):
        """Whether QEMU knows this command."""
        return self._core.has_qmp_cmd(cmd)

    def __iter__(self):
        return iter(self._handles_of(self._core.nodes()))

    def __len__(self):
        return len(self._core.nodes())

    def __contains__(self, item):
        try:
            self[item]
        except KeyError:
            return False
        return True

    def __getitem__(self, item):
        node = self._core.find(item) if isinstance(item, str) else item._core
        if node is None or node.state in ("planned", "gone"):
            raise KeyError("The machine has no device %s" % (item,))
        return self._handle(node)

    def get(self, item, default=None):
        """The device, or default."""
        return self[item] if item in self else default

    def get_by_qid(self, qid):
        """All with this id."""
        return self._handles_of(self._core.get_by_qid(qid))

    def get_by_params(self, filt):
        """All with these properties."""
        return self._handles_of(self._core.get_by_params({key: str(value) for key, value in filt.items()}))

    def get_buses(self, bus_spec, type_test=False):
        """The buses that match: keys are busid (or aobject, where pci.0 is the machine's own), type, owner."""
        wanted = dict(bus_spec)
        busid = wanted.pop("aobject", wanted.get("busid"))
        own = {"pci.0", "pcie.0"}
        if busid is not None:
            wanted["busid"] = busid
        found = []
        for bus in self._core.buses():
            wants = dict(wanted, busid=bus["busid"]) if busid in own and bus["busid"] in own else wanted
            if all(str(bus.get(key, "")).lower() == str(value).lower() for key, value in wants.items()):
                found.append(bus)
        return found

    def insert(self, devices, strict_mode=None):
        """Into the model alone."""
        devices = devices if isinstance(devices, (list, tuple)) else [devices]
        for device in devices:
            self._core.insert(device._core)
        return list(devices)

    def remove(self, device, recursive=True):
        """Out of the model alone; -1 if it is not in."""
        if device not in self:
            return -1
        self._core.remove(self[device]._core)
        return None

    def simple_hotplug(self, device, monitor, bus=None):
        """Plugs it in; ("", True). Raises DeviceHotplugError with QEMU's words, DeviceInsertError."""
        device = self[device] if isinstance(device, str) else device
        if bus is not None:
            device.set_param("bus", bus["busid"])
        self._core.plug([device._core], PLUG_TIMEOUT)
        return "", True

    def simple_unplug(self, device, monitor, timeout=30):
        """Unplugs it, a disk with its block nodes: ("", True), or (why, False) if the guest keeps it."""
        gone, words = self._core.unplug(self[device]._core, timeout)
        return words, gone

    def differences(self, timeout=PLUG_TIMEOUT):
        """What differs between the model and QEMU, a sentence each."""
        return self._core.differences(timeout)

    def images_define_by_params(self, name, image_params, media=None, **others):
        """The nodes of a disk, to be plugged in this order."""
        return self._handles_of(self._core.define_disk(name, image_params.data.core))

    def memory_define_by_params(self, params, name):
        """The nodes of one of mem_devs, to be plugged in this order."""
        return self._handles_of(self._core.define_dimm(name, params.data.core))

    def vcpu_device_define_by_params(self, params, name):
        """A processor for the first free place."""
        return self._handle(self._core.define_vcpu(name, PLUG_TIMEOUT)[0])

    def set_dirty(self):
        """The model always knows: nothing to do."""

    def set_clean(self):
        """The model always knows: nothing to do."""

    def hotplug_verified(self):
        """The model always knows: nothing to do."""


__all__ = ["DevContainer", "qdevices", "utils"]
