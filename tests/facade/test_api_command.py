# SPDX-License-Identifier: GPL-2.0-or-later
"""`avocado-runner-vt api`: what it finds missing in a suite, and what it lets pass; and the QEMU suite's own modules.

Environment: VT_BUILD (build directory), VT_SUITE (a copy of tp-qemu, whose modules are then imported).
"""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
RUNNER = BUILD / "bin/avocado-runner-vt"
VENV = pathlib.Path(os.environ.get("VIRTUAL_ENV", ROOT / "build/venv"))

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="the runner is not built")

#: Of so many of the QEMU suite's 1,026 modules the imports must work.
SUITE_GOAL = 430

TEST = """
import os
import aexpect
import virttest.no_module
from virttest import utils_misc as misc, error_context, no_such_module
from virttest.utils_misc import wait_for, no_function

try:
    from virttest import optional_module
except ImportError:
    optional_module = None


@error_context.context_aware
def run(test, params, env):
    misc.wait_for(lambda: True, 1)
    misc.no_attribute()
    os.no_matter
    vm = env.get_vm("vm1")
    session = vm.wait_for_login()
    session.cmd("true")
    session.no_method("x")
    vm.name, vm.no_such
    test.log.info, test.no_such, test.assertEqual
    params.get("x"), params.no_such
    aexpect.ShellCmdError
    helper(3)


def helper(misc):
    return misc.anything_goes
"""


def run(*arguments):
    env = dict(os.environ, VIRTUAL_ENV=str(VENV))
    return subprocess.run([str(RUNNER), *map(str, arguments)], env=env, capture_output=True, text=True)


def test_it_names_what_is_missing_with_the_files_that_use_it(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/a.py").write_text(TEST)
    (tmp_path / "tests/b.py").write_text("from virttest import no_such_module\nno_such_module.x()\n")
    (tmp_path / "tests/broken.py").write_text("def run(:\n")
    done = run("api", tmp_path)
    assert done.returncode == 1
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert lines[0] == ["virttest.no_such_module", "2", "tests/a.py tests/b.py"]
    assert sorted(name for name, _, _ in lines) == [
        "params.no_such", "session.no_method", "test.no_such", "virttest.no_module", "virttest.no_such_module",
        "virttest.utils_misc.no_attribute", "virttest.utils_misc.no_function", "vm.no_such",
    ]  # fmt: skip
    assert "broken.py is not read" in done.stderr
    assert "2 files read, 8 names missing, in 2 files" in done.stderr


def test_nothing_missing_is_success(tmp_path):
    (tmp_path / "a.py").write_text("from virttest import utils_misc\nutils_misc.wait_for\n")
    done = run("api", tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_wrong_words_say_how_it_is_called(tmp_path):
    assert run("api").returncode == 2
    assert "usage: avocado-runner-vt api SUITE-DIR" in run("api").stderr
    done = run("api", tmp_path / "nowhere")
    assert done.returncode == 2 and "is no directory" in done.stderr


def test_the_modules_of_the_qemu_suite_can_be_imported():
    suite = os.environ.get("VT_SUITE")
    if not suite:
        pytest.skip("no copy of the QEMU suite at hand: VT_SUITE is not set")
    done = run("python", ROOT / "tests/facade/suite_imports.py", suite, "qemu", "generic", "openvswitch",
               "multi_host_migration")  # fmt: skip
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["good"] >= SUITE_GOAL, "\n".join("%s: %s" % item for item in sorted(result["bad"].items()))
