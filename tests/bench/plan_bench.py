# SPDX-License-Identifier: GPL-2.0-or-later
"""What plans cost: Flumotion's own 15 tests under trial, and a hundred processes in one plan.

    build/venv/bin/python3 tests/bench/plan_bench.py [--tests FILE] [--python PYTHON] [--peer DIR] [--runs N]

FILE is a copy of Flumotion's flumotion/test/test_twisted_integration.py (default $FLUMOTION_TESTS), PYTHON one that has Twisted
(default $TWISTED_PYTHON or Debian's). With --peer, a directory from which the real flumotion can be imported, the same tests run with
that, too. One of the 15 waits for a time-out of 2 s of its own, which nobody can make shorter; it is shown apart.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"
OWN_TIMEOUT = 2.0  # of testTimeOut

HUNDRED = """
import time, unittest
from flumotion.twisted import integration
plan = integration.Plan(unittest.TestCase(), "hundred")
processes = plan.spawnPar(*(("true",) for _ in range(100)))
plan.waitPar(*((process, 0) for process in processes))
began = time.monotonic()
plan.execute()
print(time.monotonic() - began)
"""


def environment(path, directory):
    return {**os.environ, "PYTHONPATH": f"{path}:{directory}", "PYTHONWARNINGS": "ignore", "TMPDIR": str(directory)}


def trial_seconds(python, path, directory):
    """What trial says that the 15 tests took."""
    done = subprocess.run(
        [python, "-m", "twisted.trial", "test_flumotion"],
        env=environment(path, directory), cwd=directory, capture_output=True, text=True, check=False,
    )
    if "PASSED (successes=15)" not in done.stdout:
        sys.exit(f"not all of the 15 tests passed:\n{done.stdout}{done.stderr}")
    return float(re.search(r"Ran 15 tests in ([\d.]+)s", done.stdout).group(1))


def bench_flumotion(arguments, directory):
    if not arguments.tests or not pathlib.Path(arguments.tests).exists():
        print("Flumotion's 15 tests: no copy of them is at hand (--tests, FLUMOTION_TESTS)")
        return
    if subprocess.run([arguments.python, "-c", "import twisted.trial"], capture_output=True, check=False).returncode != 0:
        print(f"Flumotion's 15 tests: no Twisted at hand for {arguments.python} (--python, TWISTED_PYTHON)")
        return
    subprocess.run(
        ["/usr/bin/python3", ROOT / "tools/py2to3.py", arguments.tests, directory / "test_flumotion.py"], check=True
    )
    ours = statistics.median(trial_seconds(arguments.python, OURS, directory) for _ in range(arguments.runs))
    line = f"Flumotion's 15 tests: {ours:.2f} s, of which {OWN_TIMEOUT} s are a time-out that one of them waits for"
    if arguments.peer:
        peer = statistics.median(trial_seconds(arguments.python, arguments.peer, directory) for _ in range(arguments.runs))
        ratio = (peer - OWN_TIMEOUT) / (ours - OWN_TIMEOUT)
        line += f"; the real module {peer:.2f} s: {peer / ours:.1f} times faster, {ratio:.0f} times without that time-out"
    print(line)


def bench_hundred(arguments, directory):
    def seconds():
        done = subprocess.run(
            ["/usr/bin/python3", "-c", HUNDRED],
            env=environment(OURS, directory), cwd=directory, capture_output=True, text=True, check=True,
        )
        return float(done.stdout)

    print(f"A plan of 100 processes: {statistics.median(seconds() for _ in range(arguments.runs)):.2f} s")


def main():
    parser = argparse.ArgumentParser(description="What plans cost.")
    parser.add_argument("--tests", default=os.environ.get("FLUMOTION_TESTS"), metavar="FILE")
    parser.add_argument("--python", default=os.environ.get("TWISTED_PYTHON", "/usr/bin/python3"))
    parser.add_argument("--peer", metavar="DIR", help="where the real flumotion is")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        bench_flumotion(arguments, pathlib.Path(directory))
        bench_hundred(arguments, pathlib.Path(directory))
    print(f"(measured in {time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
