# SPDX-License-Identifier: GPL-2.0-or-later
"""Which level of the module a script is written for.

Up to QEMU 6.2 (level 6.1) qemu_img() returned a number, qemu_io() a text, and a tool that failed raised nothing. In 7.2
they return a CompletedProcess, and raise unless check=False. What is returned here is both at once; whether a failure
raises has to be known. It is told by the runner (VT_IOTESTS_API), by the iotests.py in the script's folder, or by
what the script itself uses.
"""

import os
import re
import sys

OLD, NEW = "6.1", "7.2"

#: Names and uses that one of the levels lacks.
_OF_OLD = re.compile(
    rb"\bqemu_(?:img_pipe|img_verbose|io_silent|img_pipe_and_status|io_silent_check)\b"
    rb"|\bimgopts=|\bqemu_img(?:_create)?\([^\n]*\) ?[!=]= ?0|assert[A-Za-z]*\([^\n]*\bqemu_img\([^\n]*, ?0[,)]"
)
_OF_NEW = re.compile(
    rb"\bqemu_(?:tool|tool_popen|img_json|img_info|img_map|io_popen|io_wrap_args)\b|\buse_image_opts=|\bcheck=False"
    rb"|\bqemu_(?:io|img|io_log|img_log)\([^\n]*\)\.(?:stdout|returncode)|\bCalledProcessError\b|\bQemuStorageDaemon\b"
)


def of_text(text):
    """The level that a script's text shows, or None."""
    new, old = bool(_OF_NEW.search(text)), bool(_OF_OLD.search(text))
    return None if new == old else NEW if new else OLD


def of_module(text):
    """The level of an iotests.py, or None."""
    if b"def qemu_img_map" in text or b"def qemu_tool(" in text:
        return NEW
    return OLD if b"def qemu_img_pipe(" in text else None


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def find(script):
    """The level of a script's file."""
    told = os.environ.get("VT_IOTESTS_API")
    if told in (OLD, NEW):
        return told
    folder = os.path.dirname(os.path.abspath(script))
    for place in (folder, os.path.dirname(folder)):
        found = of_module(_read(os.path.join(place, "iotests.py")))
        if found:
            return found
    # In doubt failures raise: a failure that nobody sees is worse than one too many.
    return of_text(_read(script)) or NEW


def collects_output(script):
    """True if the folder's module is one (up to 5.2) that prints what unittest says after all else."""
    folder = os.path.dirname(os.path.abspath(script))
    texts = [_read(os.path.join(place, "iotests.py")) for place in (folder, os.path.dirname(folder))]
    return any(b"def execute_unittest" in text and b"ReproducibleStreamWrapper" not in text for text in texts)


_found = None


def raises():
    """True if a tool that fails raises where the script does not say."""
    global _found
    if _found is None:
        _found = find(sys.argv[0] or "")
    return _found == NEW
