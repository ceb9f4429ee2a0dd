# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong with a device."""


class DeviceError(Exception):
    """Parent of them."""

    @classmethod
    def _of_core(cls, text):
        error = cls.__new__(cls, text)
        error.args = (text,)
        error._text = text
        return error


class DeviceInsertError(DeviceError):
    """It finds no place in the machine."""

    def __init__(self, device, reason, vmdev):
        super().__init__(device, reason, vmdev)
        self.device, self.reason, self.vmdev = device, reason, vmdev

    def __str__(self):
        if hasattr(self, "_text"):
            return self._text
        return "%s device %s: %s" % (self.issue, self.device, self.reason)

    issue = "Failed to insert"


class DeviceRemoveError(DeviceInsertError):
    """It cannot be taken out of the model."""

    issue = "Failed to remove"


class DeviceHotplugError(DeviceInsertError):
    """QEMU did not add it."""

    issue = "Failed to hotplug"

    def __init__(self, device, reason, vmdev, ver_out=None):
        super().__init__(device, reason, vmdev)
        self.ver_out = ver_out


class DeviceUnplugError(DeviceHotplugError):
    """QEMU did not take it out."""

    issue = "Failed to unplug"


def none_or_int(value):
    """None for what is empty or None, else the number."""
    return None if value in (None, "") else int(value)
