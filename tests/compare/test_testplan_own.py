# SPDX-License-Identifier: GPL-2.0-or-later
"""Testplan's own tests of drivers, entities, sockets, configurations, contexts, connections and environments, unmodified,
and its TCP examples, on our modules.

They are read from a copy of its repository that is at hand (TESTPLAN_REPOSITORY, else build/testplan), with a Python that
has pytest-mock, schema, jinja2 and psutil beside pytest (TESTPLAN_PYTHON, else this one). Groups run side by side,
since most of their time is sleep.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
MODULES = os.environ.get("TESTPLAN_MODULES", BUILD / "lib/avocado-runner-vt/python")
REPOSITORY = pathlib.Path(os.environ.get("TESTPLAN_REPOSITORY", ROOT / "build/testplan"))
PYTHON = os.environ.get("TESTPLAN_PYTHON", sys.executable)
UNIT = "tests/unit/testplan"
DRIVER = f"{UNIT}/testing/multitest/driver"
GROUPS = {
    "drivers": ([f"{DRIVER}/test_tcp_server.py", f"{DRIVER}/test_driver.py", f"{DRIVER}/connection", f"{UNIT}/common/config"], 30),
    "entities": ([f"{UNIT}/common/entity", f"{UNIT}/common/utils/sockets", f"{UNIT}/common/utils/test_context.py"], 16),
    "timing": ([f"{UNIT}/common/utils/test_timing.py", "tests/functional/testplan/testing/multitest/test_multitest_drivers.py"], 16),
    "environments": ([f"{UNIT}/testing/environment", "-k", "not TestExceptionThrown and not TestThreadedScheduling"], 17),
    "failures": ([f"{UNIT}/testing/environment", "-k", "TestExceptionThrown or TestThreadedScheduling"], 11),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tests without their conftest.py, with ours."""
    if not (REPOSITORY / "tests").is_dir():
        pytest.skip(f"no copy of Testplan's repository at {REPOSITORY}")
    needed = "pytest_mock, schema, jinja2, psutil"
    if subprocess.run([PYTHON, "-c", f"import {needed}"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no copy of Testplan's repository at hand with a Python that has {needed}")
    place = tmp_path_factory.mktemp("testplan")
    shutil.copytree(REPOSITORY / "tests", place / "tests", ignore=shutil.ignore_patterns("conftest.py", "__pycache__"))
    shutil.copyfile(ROOT / "tests/compare/testplan_conftest.py", place / "conftest.py")
    return place


def test_all_pass(copy):
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join((str(MODULES), str(copy / "tests/helpers"))), "PYTHONDONTWRITEBYTECODE": "1",
    }
    running = {
        name: subprocess.Popen(
            [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={copy}", "-W", "ignore", *files],
            # A user each, whose directory below /var/tmp is the default place of run paths.
            cwd=copy, env={**environment, "LOGNAME": f"vt-{name}"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for name, (files, _) in GROUPS.items()
    }
    outputs = {name: process.communicate(timeout=300)[0] for name, process in running.items()}
    for name in GROUPS:
        shutil.rmtree(f"/var/tmp/vt-{name}", ignore_errors=True)
    passed = {name: int((re.findall(r"(\d+) passed", output) or ["0"])[-1]) for name, output in outputs.items()}
    failed = [output for name, output in outputs.items() if running[name].returncode != 0]
    assert not failed, "\n".join(failed)
    assert passed == {name: count for name, (_, count) in GROUPS.items()}


@pytest.mark.parametrize("file, cases", [("test_plan.py", 3), ("tcp_one_connection.py", 1), ("tcp_multiple_connections.py", 2)])
def test_its_examples_pass(copy, tmp_path, file, cases):
    program = (
        "import sys, importlib.util; from testplan import under_avocado;"
        "spec = importlib.util.spec_from_file_location(sys.argv[1][:-3], sys.argv[1]); module = importlib.util.module_from_spec(spec);"
        "sys.modules[spec.name] = module; sys.path.insert(0, '.'); spec.loader.exec_module(module);"
        "print(*under_avocado.run(module, output_dir=sys.argv[2]), sep='\\n')"
    )
    done = subprocess.run(
        [PYTHON, "-c", program, file, str(tmp_path)], cwd=REPOSITORY / "examples/Transports/TCP", capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(MODULES), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120, check=False,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == cases and all(line.startswith("PASS ") for line in lines), done.stdout + done.stderr
