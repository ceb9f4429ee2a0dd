# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a Windows guest finds its drivers on the virtio-win media: D:/DRIVER/w10/amd64 on the ISO, A:/amd64/Win10 on a floppy."""

import re

from . import drive, system

ARCH_MAP_ISO = {"32-bit": "x86", "64-bit": "amd64"}
ARCH_MAP_VFD = {"32-bit": "i386", "64-bit": "amd64"}

#: The service by which Windows runs a driver.
DRIVER_SVC_MAP = {
    "viorng": "VirtRng",
    "vioser": "VirtioSerial",
    "viofs": "VirtioFsDrv",
    "vioinput": "VirtioInput",
    "viosock": "VirtioSocket",
}


def arch_dirname_iso(session):
    """The folder of the guest's architecture on the ISO, or None."""
    return ARCH_MAP_ISO.get(system.os_arch(session))


def arch_dirname_vfd(session):
    """The same on a floppy."""
    return ARCH_MAP_VFD.get(system.os_arch(session))


def _product(session):
    """(is it a server, "2019" or "10", "R2" or ""), or None."""
    match = re.search(r"Windows( Serverr?)? (\S+)(?: (R2))?", system.product_name(session) or "", re.IGNORECASE)
    return match and (bool(match.group(1)), match.group(2), match.group(3) or "")


def product_dirname_iso(session):
    """The folder of the guest's Windows on the ISO ("w10", "2k19", "2k12R2"), or None."""
    product = _product(session)
    if product is None:
        return None
    server, name, release = product
    if server and len(name) == 4:
        name = re.sub("0+", "k", name)
    elif not server and name[0].isdigit():
        name = "w" + name
    return name + release


def product_dirname_vfd(session):
    """The same on a floppy ("Win10", "Win2012R2")."""
    product = _product(session)
    return product and "Win%s%s" % product[1:]


def drive_letter_iso(session):
    """The drive ("E:") with the ISO, or None."""
    return drive.get_hard_drive_letter(session, "virtio-win%")


def drive_letter_vfd(session):
    """The first floppy drive, or None."""
    return next(iter(drive.get_floppy_drives_letter(session)), None)
