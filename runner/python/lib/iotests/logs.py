# SPDX-License-Identifier: GPL-2.0-or-later
"""What a script says for the comparison."""

import json
import logging
import sys
from collections import OrderedDict
from contextlib import contextmanager

logger = logging.getLogger("qemu.iotests")
logger.addHandler(logging.NullHandler())
test_logger = logging.getLogger("qemu.iotests.diff_io")


@contextmanager
def change_log_level(logger_name, level=logging.CRITICAL):
    """Another level for a logger, for as long as the block runs."""
    changed = logging.getLogger(logger_name)
    before = changed.level
    changed.setLevel(level)
    try:
        yield
    finally:
        changed.setLevel(before)


def ordered_qmp(qmsg, conv_keys=True):
    """The message with its keys sorted; at the top `_` in keys becomes `-`."""
    if isinstance(qmsg, list):
        return [ordered_qmp(item) for item in qmsg]
    if isinstance(qmsg, dict):
        return OrderedDict(
            (key.replace("_", "-") if conv_keys else key, ordered_qmp(value, conv_keys=False))
            for key, value in sorted(qmsg.items())
        )
    return qmsg


def log(msg, filters=(), indent=None):
    """Says a text or a message, filtered; a plain dictionary is sorted."""
    for one in filters:
        msg = one(msg)
    if isinstance(msg, (dict, list)):
        msg = json.dumps(msg, sort_keys=not isinstance(msg, OrderedDict), indent=indent)
    test_logger.info(msg)


def activate_logging():
    """Lets log() reach standard output: for scripts that are no unittests."""
    handler = logging.StreamHandler(stream=sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    test_logger.addHandler(handler)
    test_logger.setLevel(logging.INFO)
    test_logger.propagate = False
