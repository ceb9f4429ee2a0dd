# SPDX-License-Identifier: GPL-2.0-or-later
"""flumotion.twisted.integration under plain unittest: every name of it, and what Flumotion's own tests do not try.

One interpreter for each test class rather than ours: it must not hold our aexpect and virttest.
Environment: VT_BUILD (build directory, default build/release).
"""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"
SUITE = pathlib.Path(__file__).with_name("plan_suite.py")
NAMES = re.findall(r"^    def (test\w+)\(", SUITE.read_text(encoding="utf-8"), re.MULTILINE)

pytestmark = pytest.mark.skipif(not OURS.exists(), reason="the Python modules are missing")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Runs the suite once; the outcome of each test by its name."""
    done = subprocess.run(
        ["/usr/bin/python3", "-X", "faulthandler", "-m", "unittest", "-v", str(SUITE)],
        env={**os.environ, "PYTHONPATH": str(OURS), "TMPDIR": str(tmp_path_factory.mktemp("plans"))},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = dict(re.findall(r"^(test\w+) \(.*\)(?:\n.*)? \.\.\. (ok|FAIL|ERROR)$", done.stderr, re.MULTILINE))
    return found, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_plan(outcomes, name):
    found, output = outcomes
    assert found.get(name) == "ok", output


def test_twisted_is_not_needed_and_little_is_imported():
    script = (
        "import sys; before = set(sys.modules); from flumotion.twisted import integration; "
        "print(sorted(name for name in set(sys.modules) - before if name.split('.')[0] in ('twisted', 'avocado', 'virttest')))"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script],
        env={**os.environ, "PYTHONPATH": str(OURS)}, capture_output=True, text=True, check=True,
    )
    assert done.stdout == "[]\n"


def test_control_c_ends_a_plan_that_waits(tmp_path):
    script = (
        "import os, signal, threading, unittest\n"
        "from flumotion.twisted import integration\n"
        "plan = integration.Plan(unittest.TestCase(), 'interrupted')\n"
        "process = plan.spawn('sleep', '600')\n"
        "plan.spawnThread(lambda args: os.kill(os.getpid(), signal.SIGINT))\n"
        "plan.setTimeout(600)\n"
        "plan.wait(process, 0)\n"
        "try:\n    plan.execute()\n"
        "except KeyboardInterrupt:\n    print('interrupted', process.state)\n"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-c", script],
        env={**os.environ, "PYTHONPATH": str(OURS), "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
    )
    assert done.stdout == "interrupted STOPPED\n", done.stderr
