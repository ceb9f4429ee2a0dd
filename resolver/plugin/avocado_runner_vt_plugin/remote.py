# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner as a Python module, for spawners that know no other way to call one (remote, lxc): becomes the binary.

They run `python3 -m avocado_runner_vt_plugin.remote task-run …` on their host, where plugin and binary are installed too.
"""

import os
import sys

from avocado_runner_vt_plugin import runner


def main():
    # Test code runs in this interpreter's environment, as it does on the host that runs Avocado.
    os.environ["AVOCADO_VT_PYTHON"] = sys.executable
    try:
        os.execv(runner.program(), [runner.PROGRAM, *sys.argv[1:]])
    except (runner.RunnerError, OSError) as error:
        print(f"{runner.PROGRAM}: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
