# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks as a guest sees them: found, partitioned, given a file system, mounted. Windows is driven by diskpart."""

import logging
import random
import re
import string
import subprocess

from virttest import utils_misc, utils_numeric

LOG = logging.getLogger("avocado." + __name__)

PARTITION_TABLE_TYPE_MBR = "msdos"
PARTITION_TABLE_TYPE_GPT = "gpt"
PARTITION_TYPE_PRIMARY = "primary"
PARTITION_TYPE_EXTENDED = "extended"
PARTITION_TYPE_LOGICAL = "logical"
SIZE_AVAILABLE = "available size"


def _error(text):
    from _vtglue import statuses

    return statuses.exceptions().TestError(text)


def _status_output(command, session, timeout=60):
    if session:
        return session.cmd_status_output(command, timeout=timeout)
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout + done.stderr


def is_mount(src=None, dst=None, fstype=None, options=None, verbose=False, session=None):
    """True if what is asked for is mounted: source, place, type, and each of the comma-separated options."""
    _, mounts = _status_output("cat /proc/mounts", session)
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 4:
            continue
        if src and fields[0] != src.rstrip("/") or dst and fields[1] != (dst.rstrip("/") or "/"):
            continue
        if fstype and fields[2] != fstype or options and not set(options.split(",")) <= set(fields[3].split(",")):
            continue
        if verbose:
            LOG.debug("mounted: %s", line)
        return True
    return False


def mount(src, dst, fstype=None, options=None, verbose=False, session=None):
    """Mounts src at dst; one that is there already is mounted anew. True if it could be."""
    if is_mount(src, dst, fstype, None, verbose, session):
        remount = ["remount"] if options is None or "remount" not in options else []
        options = ",".join(remount + ([options] if options else []))
    words = ["mount"] + (["-t", fstype] if fstype else []) + (["-o", options] if options else []) + [src, dst]
    status, output = _status_output(" ".join(words), session, 120)
    if status != 0:
        LOG.error("%s failed: %s", " ".join(words), output)
    return status == 0


def umount(src, dst, fstype=None, verbose=False, session=None):
    """Takes a mount down; True if it is not there afterwards."""
    if not is_mount(src, dst, fstype, None, verbose, session):
        return True
    status, output = _status_output("umount %s" % dst, session, 120)
    if status != 0:
        LOG.error("umount %s failed: %s", dst, output)
    return status == 0


def get_linux_disks(session, partition=False):
    """{name: [name, size, type, serial, wwn]} of disks without partitions; with `partition`, of all and of partitions."""
    output = session.cmd("lsblk -nbrpo KNAME,PKNAME,TYPE")
    rows = [(line.split(" ") + ["", ""])[:3] for line in output.splitlines() if line.startswith("/dev/")]
    parents = {row[1] for row in rows if row[1]}
    disks = {}
    for device, _, kind in rows:
        if kind not in ("disk", "part") or (not partition and (kind != "disk" or device in parents)):
            continue
        name = device.rpartition("/")[2]
        size = session.cmd("lsblk -dno SIZE %s" % device).split()[-1]
        facts = session.cmd("udevadm info -q all -n %s" % name)
        found = [re.search(r"\b%s=(\S+)" % key, facts) for key in ("DEVTYPE", "ID_SERIAL", "ID_WWN")]
        disks[name] = [name, size] + [match.group(1) if match else None for match in found]
    return disks


def _diskpart(did, *lines):
    """The command that gives a disk's lines to diskpart by a file."""
    script = "disk_" + "".join(random.sample(string.ascii_letters + string.digits, 4))
    every = ["list disk", "select disk %s" % did, *lines, "exit"]
    writes = ["echo %s %s %s" % (line, ">>" if number else ">", script) for number, line in enumerate(every)]
    return " && ".join(writes + ["diskpart /s %s" % script, "del /f %s" % script])


def get_windows_disks_index(session, image_size, timeout=60):
    """The numbers of the disks of that size ("10G") that are empty, as diskpart lists them: below 8 GB it counts in MB."""
    number, unit = re.fullmatch(r"(\d+)([MG])B?", image_size.upper()).groups()
    if unit == "G" and int(number) < 8:
        number, unit = str(int(number) * 1024), "M"
    script = "disk_" + "".join(random.sample(string.ascii_letters + string.digits, 4))
    command = "echo list disk > {0} && echo exit >> {0} && diskpart /s {0} && del /f {0}".format(script)
    size = r"%s %sB" % (number, unit)
    return re.findall(r"^\s+Disk (\d+).*?\b%s\b.*?\b%s\b" % (size, size), session.cmd_output(command, timeout), re.MULTILINE)


def update_windows_disk_attributes(session, dids, timeout=120):
    """Makes disks writable and brings them on line; False if one resists."""
    for did in dids:
        details = session.cmd_output(_diskpart(did, "detail disk"))
        needed = []
        if re.search(r"Read.*Yes", details, re.IGNORECASE):
            needed.append("attributes disk clear readonly")
        if re.search(r"Status.*Offline", details, re.IGNORECASE):
            needed.append("online disk")
        for line in needed:
            status, output = session.cmd_status_output(_diskpart(did, line), timeout=timeout)
            if status != 0:
                LOG.error("disk %s: %s failed: %s", did, line, output)
                return False
    return True


def create_partition_table_linux(session, did, labeltype):
    """Makes a partition table."""
    session.cmd('parted -s "/dev/%s" mklabel %s' % (did, labeltype))


def create_partition_table_windows(session, did, labeltype):
    """The same; a new disk has an MBR already."""
    if labeltype == PARTITION_TABLE_TYPE_GPT:
        session.cmd(_diskpart(did, "convert gpt"))


def create_partition_table(session, did, labeltype, ostype):
    """The same, in either system."""
    (create_partition_table_windows if ostype == "windows" else create_partition_table_linux)(session, did, labeltype)


def _partitions(session, did):
    output = session.cmd("lsblk -nro KNAME,TYPE /dev/%s" % did)
    return {line.split()[0] for line in output.splitlines() if line.endswith(" part")}


def create_partition_linux(session, did, size, start, part_type=PARTITION_TYPE_PRIMARY, timeout=360):
    """Makes a partition of `size` from `start` on ("10G", "0M"); returns its name ("sdb1")."""
    size, start = (float(utils_numeric.normalize_data_size(value, "M")) for value in (size, start))
    before = _partitions(session, did)
    session.cmd('parted -s "/dev/%s" mkpart %s %sM %sM' % (did, part_type, start, start + size))
    session.cmd("partprobe /dev/%s" % did, timeout=timeout)
    new = utils_misc.wait_for(lambda: _partitions(session, did) - before, 30, step=0.5)
    if not new:
        raise _error("the guest shows no new partition of /dev/%s" % did)
    return new.pop()


def create_partition_windows(session, did, size, start, part_type=PARTITION_TYPE_PRIMARY, timeout=360):
    """Makes a partition that ends at `size`, less `start`; returns its number."""
    size, start = (float(utils_numeric.normalize_data_size(value, "M")) for value in (size, start))
    lines = "create partition %s size=%d" % (part_type, size - start), "list partition"
    output = session.cmd(_diskpart(did, *lines), timeout=timeout)
    match = re.search(r"^\*\s+Partition\s+(\d+)\b", output, re.MULTILINE)
    if match is None:
        raise _error("diskpart shows no new partition of disk %s: %s" % (did, output))
    return match.group(1)


def create_partition(session, did, size, start, ostype, part_type=PARTITION_TYPE_PRIMARY, timeout=360):
    """The same, in either system."""
    create = create_partition_windows if ostype == "windows" else create_partition_linux
    return create(session, did, size, start, part_type, timeout)
