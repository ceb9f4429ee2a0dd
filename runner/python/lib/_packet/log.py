# SPDX-License-Identifier: GPL-2.0-or-later
"""Logs and colours of packet tests. Environment: V (0: errors, 1: info, 2: all) is what goes to standard output."""

import logging
import os
import sys

double_line_delim = "=" * 78
single_line_delim = "-" * 78

_CODES = {"RED": "\033[91m", "GREEN": "\033[92m", "YELLOW": "\033[93m", "LPURPLE": "\033[94m", "COLOR_RESET": "\033[0m"}
_TERMINAL = bool(getattr(sys.stdout, "isatty", lambda: False)())
RED, GREEN, YELLOW, LPURPLE, COLOR_RESET = (code if _TERMINAL else "" for code in _CODES.values())

try:
    verbose = int(os.getenv("V", "0"))
except ValueError:
    verbose = 0
log_level = {0: logging.ERROR, 1: logging.INFO}.get(max(verbose, 0), logging.DEBUG)


def colorize(msg, color):
    return color + msg + COLOR_RESET if color else msg


class ColorFormatter(logging.Formatter):
    """Records may carry a `color`."""

    def format(self, record):
        return colorize(super().format(record), getattr(record, "color", ""))


color_formatter = ColorFormatter(fmt="%(asctime)s,%(msecs)03d %(message)s", datefmt="%H:%M:%S")


def _handler(stream):
    made = logging.StreamHandler(stream)
    made.setFormatter(color_formatter)
    made.setLevel(log_level)
    return made


handler = _handler(sys.stdout)
global_logger = logging.getLogger()
# Under the runner the root logger has a handler already, and all goes to the test's log.
if not global_logger.handlers:
    global_logger.addHandler(handler)

scapy_logger = logging.getLogger("scapy.runtime")
scapy_logger.setLevel(logging.ERROR)


def get_logger(name):
    logger = logging.getLogger(name)
    logger.setLevel(logging.DEBUG)
    return logger


def get_parallel_logger(stream):
    """A logger of its own for a stream, apart from the global one."""
    logger = get_logger("parallel_logger_%s" % (stream,))
    logger.propagate = False
    logger.addHandler(_handler(stream))
    return logger
