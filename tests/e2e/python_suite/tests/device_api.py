# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices come and go under a running guest (run by test_devices.py)."""

import os

from virttest import utils_misc
from virttest.qemu_devices import qdevices, utils


class _Guest:
    """What the guest sees."""

    def __init__(self, session):
        self.session = session

    def lines(self, directory):
        return set(self.session.cmd_output("ls " + directory).split())

    def comes_to(self, directory, before):
        """What is new in a directory, once there is something."""
        new = utils_misc.wait_for(lambda: self.lines(directory) - before, 60, step=0.5)
        assert new, "nothing new in %s" % directory
        return new


def same(vm):
    assert vm.devices.differences() == [], vm.devices.differences()


def disk(vm, params, guest, fmt):
    name = "stg"
    path = os.path.join(params["plug_dir"], "stg")
    os.system("qemu-img create -q -f qcow2 %s.qcow2 4M" % path)
    view = params.object_params(name)
    view["image_name_stg"], view["drive_format_stg"], view["image_format_stg"] = path, fmt, "qcow2"
    before = guest.lines("/sys/block")
    nodes = vm.devices.images_define_by_params(name, view, "disk")
    for node in nodes:
        assert vm.devices.simple_hotplug(node, vm.monitor) == ("", True)
    same(vm)
    top = nodes[-1]
    assert vm.devices.get_by_qid("stg") == [top] and vm.devices["stg"] == top and "stg" in vm.devices
    assert vm.devices.get_by_params({"drive": "drive_stg"}) == [top]
    new = guest.comes_to("/sys/block", before)
    assert guest.session.cmd("cat /sys/block/%s/size" % new.pop()).strip() == "8192"
    assert vm.devices.simple_unplug(top, vm.monitor, 60) == ("", True)
    assert "stg" not in vm.devices and "drive_stg" not in vm.devices
    same(vm)
    if guest.lines("/sys/block") != before:
        assert utils_misc.wait_for(lambda: guest.lines("/sys/block") == before, 30, step=0.5)


def run(test, params, env):
    vm = env.get_vm(params["main_vm"])
    guest = _Guest(vm.wait_for_login())
    devices = vm.devices
    same(vm)
    assert devices is vm.devices and len(devices) == len(list(devices)) and devices.has_device("virtio-blk-pci")
    root = devices.get_buses({"aobject": "pci.0"})
    assert len(root) == 1 and root[0]["taken"], root
    for fmt in ("virtio", "scsi-hd", "virtio"):
        disk(vm, params, guest, fmt)

    rng = qdevices.QObject("rng-builtin")
    rng.set_param("id", "source9")
    card = qdevices.QDevice("virtio-rng-pci", {"id": "rng9", "rng": "source9"})
    devices.simple_hotplug(rng, vm.monitor)
    devices.simple_hotplug(card, vm.monitor)
    assert card["bus"] and card.get_param("nothing") is None
    same(vm)
    try:
        devices.simple_hotplug(qdevices.QDevice("virtio-rng-pci", {"id": "rng9", "rng": "source9"}), vm.monitor)
        test.fail("two devices have one id")
    except utils.DeviceInsertError as clash:
        assert "rng9" in str(clash)
    try:
        devices.simple_hotplug(qdevices.QDevice("usb-tablet", {"id": "tablet9", "nonsense": "1"}), vm.monitor)
        test.fail("a property that is none")
    except utils.DeviceError as refused:
        assert "nonsense" in str(refused) or "USB" in str(refused), refused
    assert devices.simple_unplug("rng9", vm.monitor, 60) == ("", True)
    assert devices.simple_unplug(rng, vm.monitor) == ("", True) and "source9" not in devices
    same(vm)

    before = guest.lines("/sys/devices/system/cpu")
    cpu = devices.vcpu_device_define_by_params(params, "cpu9")
    devices.simple_hotplug(cpu, vm.monitor)
    same(vm)
    assert "cpu1" in guest.comes_to("/sys/devices/system/cpu", before)
    test.whiteboard = "all of it"
