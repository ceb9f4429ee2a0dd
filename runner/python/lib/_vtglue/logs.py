# SPDX-License-Identifier: GPL-2.0-or-later
"""Python's logging into the runner's log."""

import logging

import _vt


class CoreHandler(logging.Handler):
    """Hands each record to the core, which writes it out at once: nothing waits in Python."""

    def emit(self, record):
        try:
            _vt.log(record.levelno, record.name, self.format(record))
        except Exception:
            self.handleError(record)


def attach():
    """Sends everything that Python logs to the runner."""
    root = logging.getLogger()
    if any(isinstance(handler, CoreHandler) for handler in root.handlers):
        return
    handler = CoreHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.captureWarnings(True)
