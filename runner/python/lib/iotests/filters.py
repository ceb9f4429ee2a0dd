# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters: the core's for text, and the walk through QMP messages."""

import os
import re

import _vt
from iotests import level, settings

# A script's output is compared: the core says nothing in it but what is wrong.
_vt.block_quiet()

_known = {}


def _names():
    """The core's idea of this process's names; scripts fork."""
    key = (os.getpid(), settings.test_dir, settings.sock_dir, settings.imgfmt)
    if key not in _known:
        # The kind of compression became a fixed word with the newer level.
        _known[key] = _vt.BlockNames(settings.test_dir, settings.sock_dir, settings.imgfmt, key[0], level.raises())
    return _known[key]


filter_win32 = _vt.block_filter_win32
filter_qemu_io = _vt.block_filter_qemu_io
filter_chown = _vt.block_filter_chown
filter_virtio_scsi = _vt.block_filter_virtio_scsi
filter_generated_node_ids = _vt.block_filter_node_ids
filter_nbd_exports = _vt.block_filter_nbd_exports

# The expressions behind some of them, which were public.
test_dir_re = re.compile(re.escape(settings.test_dir))
win32_re = re.compile(r"\r")
qemu_io_re = re.compile(
    r"[0-9]* ops; [0-9\/:. sec]* \([0-9\/.inf]* [EPTGMKiBbytes]*\/sec and [0-9\/.inf]* ops\/sec\)"
)
chown_re = re.compile(r"chown [0-9]+:[0-9]+")


def is_str(val):
    return isinstance(val, str)


def filter_test_dir(msg):
    return _names().test_dir(msg)


def filter_testfiles(msg):
    return _names().testfiles(msg)


def filter_imgfmt(msg):
    return _names().imgfmt(msg)


def filter_img_info(output, filename):
    return _names().img_info(output, filename)


def file_pattern(name):
    return _names().file_name(str(name))


def filter_qmp_event(event):
    """The event with its time as words."""
    event = dict(event)
    if "timestamp" in event:
        event["timestamp"]["seconds"] = "SECS"
        event["timestamp"]["microseconds"] = "USECS"
    return event


def filter_qmp(qmsg, filter_fn):
    """The message with `filter_fn(key, value)` in place of each value, in all depths; changed in place."""
    if isinstance(qmsg, list):
        items = enumerate(qmsg)
    elif isinstance(qmsg, dict):
        items = qmsg.items()
    else:
        return filter_fn(None, qmsg)
    for key, value in items:
        qmsg[key] = filter_qmp(value, filter_fn) if isinstance(value, (dict, list)) else filter_fn(key, value)
    return qmsg


def _of_text(text_filter):
    def in_message(qmsg):
        return filter_qmp(qmsg, lambda _key, value: text_filter(value) if isinstance(value, str) else value)

    return in_message


filter_qmp_testfiles = _of_text(filter_testfiles)
filter_qmp_virtio_scsi = _of_text(filter_virtio_scsi)
filter_qmp_generated_node_ids = _of_text(filter_generated_node_ids)
filter_qmp_imgfmt = _of_text(filter_imgfmt)
