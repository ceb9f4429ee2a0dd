# SPDX-License-Identifier: GPL-2.0-or-later
"""What a script says for the comparison.

log() goes to the logger `test_logger`, as upstream's; while nobody has imported Python's logging, nobody can have changed
that logger, and the text goes straight to where its handler would write it.
"""

import json
import sys
from collections import OrderedDict
from contextlib import contextmanager

from qemu import late_logging

_CRITICAL = 50
_output = None


def _make_loggers(logging):
    parent = logging.getLogger("qemu.iotests")
    parent.addHandler(logging.NullHandler())
    globals().update(logger=parent, test_logger=logging.getLogger("qemu.iotests.diff_io"))


late_logging.when_imported(_make_loggers)


def __getattr__(name):
    if name in ("logger", "test_logger"):
        late_logging.module()
        return globals()[name]
    raise AttributeError("module %r has no attribute %r" % (__name__, name))


@contextmanager
def change_log_level(logger_name, level=_CRITICAL):
    """Another level for a logger, for as long as the block runs."""
    changed = late_logging.module().getLogger(logger_name)
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
    if late_logging.imported():
        late_logging.module()
        test_logger.info(msg)  # noqa: F821 (made by _make_loggers)
    elif _output is not None:
        _output.write("%s\n" % (msg,))
        _output.flush()


def configure(debug):
    """What the root logger shows of a script: warnings, or all."""

    def setup(logging):
        logging.basicConfig(level=logging.DEBUG if debug else logging.WARN)

    late_logging.when_imported(setup)
    if debug:
        late_logging.module()
        logger.debug("iotests debugging messages active")  # noqa: F821


def activate_logging():
    """Lets log() reach standard output: for scripts that are no unittests."""
    global _output
    _output = output = sys.stdout

    def setup(logging):
        handler = logging.StreamHandler(stream=output)
        handler.setFormatter(logging.Formatter("%(message)s"))
        test_logger.addHandler(handler)  # noqa: F821
        test_logger.setLevel(logging.INFO)  # noqa: F821
        test_logger.propagate = False  # noqa: F821

    late_logging.when_imported(setup)
