# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans to be killed in the middle of: what they start is hard to be rid of."""

import os
import pathlib
import unittest

from flumotion.twisted import integration

# A grandchild of another session that ignores SIGTERM, and one that its parent has left to init.
STUBBORN = (
    "trap '' TERM HUP INT; (trap '' TERM; exec setsid sleep \"$0\") & (setsid sh -c 'sleep \"$0\"' \"$0\" &); sleep \"$0\"; wait"
)


def tell(phase):
    (pathlib.Path(os.environ["VT_SOAK_DIR"]) / "phases" / f"{phase}-{os.getpid()}").touch()


class Killed(unittest.TestCase):
    @integration.test
    def testStubborn(self, plan):
        sleeper = os.environ["VT_SOAK_SLEEPER"]
        tell("body")
        plan.spawnPar(*(("sh", "-c", STUBBORN, sleeper) for _ in range(3)))
        noisy = plan.spawn("sh", "-c", 'yes "$0" | head -c 3000000; sleep 0.3', sleeper)
        plan.ops.append((tell, "test"))
        plan.wait(noisy, 0)
        plan.ops.append((tell, "done"))

    @integration.test
    def testBrief(self, plan):
        tell("body")
        processes = plan.spawnPar(*(("sh", "-c", "sleep 0.1; exit 3") for _ in range(5)))
        plan.ops.append((tell, "test"))
        plan.waitPar(*((process, 3) for process in processes))
        plan.ops.append((tell, "done"))

    @integration.test
    def testThread(self, plan):
        import subprocess
        import time

        tell("body")

        def start_one(args):
            subprocess.Popen(["sleep", args[0]], start_new_session=True)
            time.sleep(0.2)

        thread = plan.spawnThread(start_one, os.environ["VT_SOAK_SLEEPER"])
        plan.ops.append((tell, "test"))
        plan.wait(thread, 0)
        plan.ops.append((tell, "done"))
