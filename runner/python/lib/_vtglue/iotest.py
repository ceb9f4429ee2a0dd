# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a block test as python3 would, but for our own modules, which come before those in its folder: iotest.py SCRIPT ARG…"""

import faulthandler
import os
import sys


def _code():
    """The script's code, once paths and arguments are its own."""
    script = os.path.abspath(sys.argv[1])
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(1, os.path.dirname(script))
    with open(script, "rb") as file:
        return script, compile(file.read(), script, "exec")


if __name__ == "__main__":
    faulthandler.enable()
    # Modules are compiled once for all scripts, and not beside them.
    if os.environ.get("VT_IOTESTS_FACTS"):
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.path.join(os.path.dirname(os.environ["VT_IOTESTS_FACTS"]), "pycache")
    __file__, code = _code()
    del _code
    exec(code)
