# SPDX-License-Identifier: GPL-2.0-or-later
"""Memory as Linux counts it, here or in the session's machine. Amounts are KiB unless it says pages."""

import logging
import re
import subprocess

LOG = logging.getLogger("avocado." + __name__)

_HUGEPAGE = "/sys/kernel/mm/transparent_hugepage/enabled"


def _run(command, session):
    if session:
        status, output = session.cmd_status_output(command)
    else:
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        status, output = done.returncode, done.stdout or done.stderr
    if status:
        from _vtglue import statuses

        raise statuses.exceptions().TestError("%s failed (status %s): %s" % (command, status, output.strip()))
    return output


def _number(text, key, where):
    match = re.search(r"^.*?\b%s\b\D*?(\d+)" % re.escape(key), text, re.MULTILINE)
    if match is None:
        from _vtglue import statuses

        raise statuses.exceptions().TestError("%s has no %s" % (where, key))
    return int(match.group(1))


def read_from_meminfo(key, session=None, node_id=""):
    """One line of /proc/meminfo, or of one NUMA node."""
    where = "/sys/devices/system/node/node%s/meminfo" % node_id if node_id != "" else "/proc/meminfo"
    text = re.sub(r"^Node \d+ +", "", _run("cat %s" % where, session), flags=re.MULTILINE)
    return _number(text, key.rstrip(":"), where)


def memtotal(session=None, node_id=""):
    """All memory."""
    return read_from_meminfo("MemTotal", session, node_id)


def freememtotal(session=None):
    """Free memory."""
    return read_from_meminfo("MemFree", session)


def numa_nodes(session=None):
    """How many NUMA nodes there are."""
    return len(re.findall(r"node\d+$", _run("ls -d /sys/devices/system/node/node*", session), re.MULTILINE))


def get_huge_page_size(session=None):
    """Size of a huge page."""
    return read_from_meminfo("Hugepagesize", session)


def get_num_huge_pages(session=None):
    """Huge pages, all."""
    return read_from_meminfo("HugePages_Total", session)


def get_num_huge_pages_free(session=None):
    """Huge pages that are free."""
    return read_from_meminfo("HugePages_Free", session)


def get_num_huge_pages_rsvd(session=None):
    """Huge pages that are promised."""
    return read_from_meminfo("HugePages_Rsvd", session)


def get_num_huge_pages_surp(session=None):
    """Huge pages beyond what is set."""
    return read_from_meminfo("HugePages_Surp", session)


def set_num_huge_pages(num, session=None):
    """Asks for so many huge pages."""
    _run("sysctl -w vm.nr_hugepages=%d" % int(num), session)


def get_transparent_hugepage(session=None, regex="[]"):
    """The choice that is in force: always, madvise or never; regex are the brackets around it."""
    text = _run("cat %s" % _HUGEPAGE, session)
    return re.search(r"%s(\w+)%s" % (re.escape(regex[0]), re.escape(regex[1])), text).group(1)


def set_transparent_hugepage(sflag, session=None):
    """Sets that."""
    if sflag not in ("always", "madvise", "never"):
        raise ValueError("transparent huge pages are always, madvise or never, not %r" % (sflag,))
    _run("echo %s > %s" % (sflag, _HUGEPAGE), session)


def drop_caches(session=None):
    """Writes out what is dirty, and drops the kernel's caches."""
    _run("sync && echo 3 > /proc/sys/vm/drop_caches", session)


def read_from_vmstat(key, session=None):
    """One line of /proc/vmstat."""
    return _number(_run("cat /proc/vmstat", session), key, "/proc/vmstat")


def read_from_smaps(pid, key, session=None):
    """The sum of one key over a process's mappings."""
    lines = re.findall(r"^%s:?\s+(\d+)" % re.escape(key.rstrip(":")), _run("cat /proc/%d/smaps" % pid, session), re.MULTILINE)
    return sum(map(int, lines))


def get_num_anon_huge_pages(pid=0, session=None):
    """Transparent huge pages of a process, or of all; in KiB."""
    return read_from_smaps(pid, "AnonHugePages", session) if pid else read_from_meminfo("AnonHugePages", session)


def getpagesize(session=None):
    """Size of a page; in KiB."""
    return int(_run("getconf PAGE_SIZE", session)) // 1024
