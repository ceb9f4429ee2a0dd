# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.utils: what QEMU's Python code shares."""

import os
import re
import signal
import subprocess


def get_info_usernet_hostfwd_port(info_usernet_output):
    """The first forwarded port in the output of `info usernet`, or None."""
    for line in info_usernet_output.split("\r\n"):
        found = re.search(r"TCP.HOST_FORWARD.*127\.0\.0\.1\s+(\d+)\s+10\.", line)
        if found is not None:
            return int(found[1])
    return None


def add_visual_margin(content="", width=None, name=None, padding=1, upper_left="┏", lower_left="┗", horizontal="━", vertical="┃"):
    """Text with a line at its left, and a heading."""
    if width is None:
        import shutil

        width = shutil.get_terminal_size()[0]
    indent = vertical + " " * padding
    rule = width - 1
    heading = "%s%s %s " % (upper_left, horizontal, name) if name else upper_left
    lines = [heading + horizontal * max(0, width - len(heading))]
    for line in content.splitlines():
        lines.append(indent + line)
    lines.append(lower_left + horizontal * rule)
    return os.linesep.join(lines)


class VerboseProcessError(subprocess.CalledProcessError):
    """A failed program: its words stand below the message."""

    def __str__(self):
        lines = [super().__str__()]
        if self.returncode < 0:
            try:
                lines = ["Command '%s' died with %s." % (" ".join(map(str, self.cmd)), signal.Signals(-self.returncode).name)]
            except ValueError:
                pass
        for name, text in (("output", self.stdout), ("stderr", self.stderr)):
            if text:
                lines.append(add_visual_margin(text, width=72, name=name))
            elif text is not None and name == "output":
                lines.append("(it said nothing)")
        return os.linesep.join(lines)


def list_accel(qemu_bin):
    """The accelerators that a QEMU knows, or None."""
    try:
        text = subprocess.check_output([qemu_bin, "-accel", "help"], universal_newlines=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return [line.strip() for line in text.splitlines()[1:]]


def kvm_available(target_arch=None, qemu_bin=None):
    """True if /dev/kvm may be used for guests of that architecture by that QEMU."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    if target_arch:
        host = os.uname()[4]
        if target_arch != host and target_arch != {"x86_64": "i386", "aarch64": "armhf", "ppc64le": "ppc64"}.get(host):
            return False
    return not qemu_bin or "kvm" in (list_accel(qemu_bin) or [])


def tcg_available(qemu_bin):
    """True if that QEMU has TCG."""
    return "tcg" in (list_accel(qemu_bin) or [])
