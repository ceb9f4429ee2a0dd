# SPDX-License-Identifier: GPL-2.0-or-later
"""Python's logging, imported when something is to be logged: it takes a fifth of the time that all else of a block test's
start takes, and most tests log nothing.

What is to be set up in it is kept until then, or done at once where a script has imported it.
"""

import sys

_pending = []


def imported():
    """True if somebody has it already."""
    return "logging" in sys.modules


def when_imported(setup):
    """Calls `setup(logging)` now if it is imported, else before anything of ours is logged."""
    _pending.append(setup)
    if imported():
        module()


def module():
    """The module `logging`, set up."""
    import logging

    while _pending:
        _pending.pop(0)(logging)
    return logging
