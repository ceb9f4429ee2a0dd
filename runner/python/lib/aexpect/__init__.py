# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions with shells: the names of the aexpect package over the runner's own engine.

It comes before site-packages on sys.path, so that there is one aexpect in a test's process.
"""

from . import remote
from .client import (
    Expect,
    RemoteSession,
    ShellSession,
    Spawn,
    Tail,
    kill_tail_threads,
    run_bg,
    run_fg,
    run_tail,
)
from .exceptions import (
    ExpectError,
    ExpectProcessTerminatedError,
    ExpectTimeoutError,
    ShellCmdError,
    ShellError,
    ShellProcessTerminatedError,
    ShellStatusError,
    ShellTimeoutError,
)
