# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives and volumes of a Windows guest."""

from virttest import utils_misc

from . import wmic

_NOT_FLOPPIES = (0, 11, 12)  # MediaType: unknown, removable other than a floppy, fixed


def _device_ids(session, condition):
    query = wmic.make_query("LogicalDisk", condition, ["DeviceID"], wmic.FMT_TYPE_LIST)
    # A drive that has just been plugged in takes a while to be there.
    return utils_misc.wait_for(lambda: wmic.parse_list(session.cmd(query, timeout=120)), 240) or []


def get_hard_drive_letter(session, label):
    """The letter of the drive ("D:") whose label is like `label`, % for any text; None if there is none."""
    return next(iter(_device_ids(session, "VolumeName like '%s'" % label)), None)


def get_floppy_drives_letter(session):
    """The letters of all floppy drives."""
    return _device_ids(session, " AND ".join("MediaType!=%d" % kind for kind in _NOT_FLOPPIES))


def _diskpart(session, name, *lines):
    script = r"%TEMP%" + "\\" + name
    writes = ["echo %s %s %s" % (line, ">>" if number else ">", script) for number, line in enumerate(lines)]
    session.cmd(" && ".join(writes + ["diskpart /s %s" % script]))


def rescan_disks(session):
    """Lets Windows look for new disks."""
    _diskpart(session, "rescan.dp", "rescan")


def extend_volume(session, vol_id, size=None):
    """Makes a volume larger by `size` MiB, or as large as can be."""
    _diskpart(session, "extend_%s.dp" % vol_id, "select volume %s" % vol_id, "extend desired=%s" % size if size else "extend")


def shrink_volume(session, vol_id, size):
    """Makes a volume smaller by `size` MiB."""
    _diskpart(session, "shrink_%s.dp" % vol_id, "select volume %s" % vol_id, "shrink desired=%s" % size)


def get_disk_props_by_serial_number(session, serial_number, props):
    """{property: value} of the disk whose serial number is like `serial_number`; {} if there is none."""
    condition = "SerialNumber like '%s'" % serial_number
    found = wmic.parse_list(session.cmd(wmic.make_query("diskdrive", condition, props, wmic.FMT_TYPE_LIST), timeout=120))
    if not found:
        return {}
    return found[-1] if isinstance(found[-1], dict) else {props[0]: found[-1]}
