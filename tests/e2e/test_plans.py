# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans (flumotion.twisted.integration) under Avocado and under trial; Flumotion's own tests.

Environment: FLUMOTION_TESTS (a copy of Flumotion's flumotion/test/test_twisted_integration.py, default
build/flumotion/test_twisted_integration.py), TWISTED_PYTHON (a python3 that has Twisted, default Debian's).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import xml.dom.minidom

import pytest

from jobs import BUILD, ROOT, VENV, Site

HERE = pathlib.Path(__file__).resolve().parent
PLANS = HERE / "plan_files/plans.py"
OURS = BUILD / "lib/avocado-runner-vt/python"
FLUMOTION = pathlib.Path(os.environ.get("FLUMOTION_TESTS", ROOT / "build/flumotion/test_twisted_integration.py"))
TWISTED = os.environ.get("TWISTED_PYTHON", "/usr/bin/python3")
METHODS = ("Passes", "ExitCode", "ExitTooEarly", "StillRunning", "Timeout", "ThreadRaises", "NotFound", "Skipped",
           "ExpectedFailure")
NO_REASON = ""

pytestmark = pytest.mark.skipif(
    not (BUILD / "bin/avocado-runner-vt").exists() or not (VENV / "bin/avocado").exists(),
    reason="the runner or Avocado is missing",
)


@pytest.fixture(scope="module")
def world():
    """A place for Avocado that was never bootstrapped: plans need no machines."""
    place = Site()
    shutil.copy(PLANS, place.root / "plans.py")
    yield place
    place.remove()


@pytest.fixture(scope="module")
def job(world):
    """One job of all plans."""
    done = world.run("plans.py:^Plans", "plans.py:Inherited.testOwn", parallel=2)
    assert done.tests, done.output
    return done


def of(job, method):
    return job.test(f"plans.py:Plans.test{method}")


def listed(world, *words):
    done = world.avocado("list", *words)
    assert done.returncode == 0, done.output
    return [line.split() for line in done.stdout.splitlines()]


def test_list_shows_plans_and_leaves_other_files_alone(world):
    folder = world.root / "folder"
    folder.mkdir()
    shutil.copy(PLANS, folder / "plans.py")
    (folder / "unit.py").write_text("import unittest\nclass Case(unittest.TestCase):\n    def test(self):\n        pass\n")
    (folder / "mentions.py").write_text('"""Nothing of flumotion.twisted is imported here."""\n')
    (folder / "old.py").write_text("from flumotion.twisted import integration\nprint 'Python 2'\n")
    (folder / "driver.py").write_text(
        "from testplan import test_plan\nfrom testplan.testing.multitest import testsuite, testcase\n"
        "@testsuite\nclass Suite(object):\n    @testcase\n    def first(self, env, result):\n        pass\n"
        "    @testcase(tags='a')\n    def second(self, env, result):\n        pass\n    def helper(self):\n        pass\n"
        "@test_plan(name='plan')\ndef main(plan):\n    pass\n"
    )
    (folder / "whole.py").write_text("import testplan\n@testplan.test_plan(name='plan')\ndef main(plan):\n    pass\n")
    lines = listed(world, "folder")
    expected = [["vt-plan", f"folder/plans.py:Plans.test{method}"] for method in (*METHODS, "Assertion")]
    expected += [["vt-plan", f"folder/plans.py:Inherited.test{method}"] for method in (*METHODS, "Assertion", "Own")]
    assert sorted(lines) == sorted(
        expected + [["python-unittest", "folder/unit.py:Case.test"], ["vt-driver", "folder/driver.py:Suite.first"],
                    ["vt-driver", "folder/driver.py:Suite.second"], ["vt-driver", "folder/whole.py"]]
    )


def test_list_of_a_part_of_a_file(world):
    assert listed(world, "plans.py:Plans.testExitCode") == [["vt-plan", "plans.py:Plans.testExitCode"]]
    assert [name for _, name in listed(world, "plans.py:Own$")] == ["plans.py:Inherited.testOwn"]
    nothing = world.avocado("-V", "list", "plans.py:NoTests")
    assert "has no test that matches NoTests" in nothing.output
    old = world.root / "old.py"
    old.write_text("from flumotion.twisted import integration\nprint 'Python 2'\n")
    assert "old.py does not compile as Python 3: " in world.avocado("-V", "list", "old.py").output


def test_capabilities_name_the_kinds():
    for program in ("avocado-runner-vt", "avocado-runner-vt-plan", "avocado-runner-vt-driver"):
        done = subprocess.run([BUILD / "bin" / program, "capabilities"], capture_output=True, text=True, check=True)
        assert {"vt", "vt-plan", "vt-driver"} <= set(json.loads(done.stdout)["runnables"])


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("Passes", "PASS", NO_REASON),
        ("ExitCode", "FAIL", "Expected exit code 0 from <Process sh in state STOPPED>, but got 3; it ended with exit status 3, "
         "the last of its standard error: it went wrong"),
        ("ExitTooEarly", "FAIL", "The process <Process sh in state STOPPED> exited prematurely.; it ended with exit status 0, "
         "the last of its standard error: I am leaving"),
        ("StillRunning", "FAIL", "Processes still running at end of test: [<Process sleep in state STARTED>]"),
        ("Timeout", "FAIL", "Timed out waiting for <Process sleep in state STARTED> to exit with status 0 after 0.2 s; it is "
         "still running, it printed nothing"),
        ("ThreadRaises", "FAIL", "AssertionError: there are 2 of them (plans.py:37)"),
        ("NotFound", "ERROR", "CommandNotFoundException: Command 'no-such-command' not found in the PATH. (plans.py:45)"),
        ("Skipped", "SKIP", "not today"),
        ("ExpectedFailure", "PASS", NO_REASON),
        ("Assertion", "FAIL", "AssertionError: 1 != 2 (plans.py:58)"),
    ],
)
def test_each_method_is_a_test_with_a_readable_reason(job, method, status, reason):
    test = of(job, method)
    # Where nothing is said, Avocado says so in words of its own.
    assert (test.status, test.reason.replace("<unknown>", "")) == (status, reason)


def test_a_file_of_two_classes_is_run_in_parts(job):
    assert len(job.tests) == len(METHODS) + 2
    assert job.test("Inherited.testOwn").status == "PASS"


def test_the_timeline_and_the_logs_of_a_failure_are_in_the_results(job):
    failed = of(job, "ExitCode")
    assert [path.read_text() for path in failed.logdir.glob("Plans-20*/testExitCode/sh.stderr")] == ["it went wrong\n"]
    picture = failed.file("Plans.testExitCode.timeline.svg").decode()
    xml.dom.minidom.parseString(picture)
    assert ">exit code 3, " in picture
    passed = of(job, "Passes")
    assert list(passed.logdir.glob("Plans-20*")) == []
    assert passed.file("Plans.testPasses.timeline.svg").count(b'rx="2"') == 2
    # The table is in the log.
    assert re.search(r"wait +echo-1 +exit code 0", passed.log), passed.log


def test_a_file_as_a_whole(runner, tmp_path):
    done = subprocess.run(
        [runner, "runnable-run", "-k", "vt-plan", "-u", PLANS, f"output_dir={tmp_path}"],
        capture_output=True, text=True, check=True,
    )
    last = done.stdout.splitlines()[-1]
    assert "'result': 'error'" in last or '"result": "error"' in last, last
    assert "2 of 21 tests: Plans.testNotFound: " in last or "2 of 21 tests: Inherited.testNotFound: " in last, last


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-u", "/no/such/file.py"], "the test file /no/such/file.py is not there"),
        (["-u", f"{PLANS}:Nobody.test"], "has no class Nobody that is a unittest.TestCase"),
        (["-u", f"{PLANS}:Plans.nothing"], "Plans has no method nothing"),
        ([], "the runnable names no file; a plan's or driver's uri is FILE or FILE:Class.method"),
        (["-u", f"{PLANS}", "prefer=both"], 'vt.harness.prefer should be "own" or "installed", but it is "both"'),
    ],
)
def test_a_runnable_that_cannot_be_run_says_why(runner, tmp_path, words, reason):
    done = subprocess.run(
        [runner, "runnable-run", "-k", "vt-plan", *words, f"output_dir={tmp_path}"],
        capture_output=True, text=True, check=True,
    )
    last = done.stdout.splitlines()[-1]
    assert "'result': 'error'" in last and reason in last.replace("\\'", "'"), last


def test_an_installed_flumotion_wins_only_where_it_is_preferred(world):
    site_packages = world.root / "installed"
    package = site_packages / "flumotion/twisted"
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()
    (package / "integration.py").write_text(
        "def test(method):\n    return lambda self: print('the installed one')\n"
    )
    # A folder of the test's own stands for the environment's site-packages.
    (site_packages / "plan.py").write_text(
        "import unittest\nfrom flumotion.twisted import integration\n"
        "class Case(unittest.TestCase):\n    @integration.test\n    def test(self, plan):\n        pass\n"
    )
    own = world.run("installed/plan.py").only
    assert own.status == "PASS" and "the installed one" not in own.file("stdout").decode()
    config = world.root / "prefer.conf"
    config.write_text("[vt.harness]\nprefer = installed\n")
    preferred = world.run("installed/plan.py", leading=("--config", config)).only
    assert preferred.status == "PASS" and "the installed one" in preferred.file("stdout").decode(), preferred.log


def test_the_example_of_the_documentation(world):
    text = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
    example = re.search(r"\n\n((?:    .*\n|\n)+?)(?=\n*[^ \n])", text[text.index("## In Python"):]).group(1)
    (world.root / "example.py").write_text(re.sub(r"^    ", "", example, flags=re.MULTILINE))
    done = world.run("example.py")
    assert [(test.name.split(":")[-1], test.status) for test in done.tests] == [
        ("IntegrationTestExample.testEchoFunctionality", "PASS"), ("IntegrationTestExample.testServer", "PASS"),
    ], done.output


def test_a_plan_in_a_native_test(site):
    done = site.run("plan_native")
    assert done.only.status == "PASS", done.only
    picture = list(done.only.logdir.glob("*.timeline.svg"))
    assert len(picture) == 1 and picture[0].read_bytes().count(b'rx="2"') == 4
    failed = site.run("plan_native", params=["expected_word=bye"]).only
    assert failed.status == "FAIL"
    assert "Expected exit code 0 from <Process sh-1 in state STOPPED>, but got 1" in failed.reason


def test_a_run_of_plans_under_a_killed_avocado_leaves_nothing(world):
    lasting = world.root / "lasting.py"
    lasting.write_text(
        "import unittest\nfrom flumotion.twisted import integration\n"
        "class Case(unittest.TestCase):\n    @integration.test\n    def test(self, plan):\n"
        "        plan.setTimeout(600)\n"
        "        plan.wait(plan.spawn('sh', '-c', 'trap \"\" TERM; setsid sleep 601 & touch begun; wait'), 0)\n"
    )
    process = world.start("run", "lasting.py")
    from jobs import wait_until

    wait_until("the plan's process", lambda: any("sleep 601" in words for words in map(command, world.processes())), 60)
    process.kill()
    process.communicate()
    world.no_process_within(30)


def command(pid):
    from jobs import command_line

    return command_line(pid)


# Twisted


@pytest.fixture(scope="session")
def twisted():
    """A python3 with Twisted."""
    if subprocess.run([TWISTED, "-c", "import twisted.trial"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no Twisted at hand for {TWISTED}")
    return TWISTED


def trial(python, directory, *words):
    done = subprocess.run(
        [python, "-m", "twisted.trial", *words],
        env={**os.environ, "PYTHONPATH": f"{OURS}:{directory}", "PYTHONWARNINGS": "ignore"},
        cwd=directory, capture_output=True, text=True, timeout=120, check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_plans_under_trial(twisted, tmp_path):
    shutil.copy(PLANS, tmp_path / "test_plans_of_ours.py")
    text = (tmp_path / "test_plans_of_ours.py").read_text()
    (tmp_path / "test_plans_of_ours.py").write_text(
        text.replace("import unittest\n", "import unittest as plain\nfrom twisted.trial import unittest\n")
        .replace("@unittest.skip(", "@plain.skip(").replace("@unittest.expectedFailure", "@plain.expectedFailure")
    )
    _, output = trial(twisted, tmp_path, "test_plans_of_ours.Plans")
    for sentence in (
        "Expected exit code 0 from <Process sh in state STOPPED>, but got 3",
        "The process <Process sh in state STOPPED> exited prematurely.",
        "Processes still running at end of test: [<Process sleep in state STARTED>]",
        "Timed out waiting for <Process sleep in state STARTED> to exit with status 0 after 0.2 s",
        "there are 2 of them",
        "Command 'no-such-command' not found in the PATH.",
    ):
        assert sentence in output, output
    # unittest's expectedFailure sees nothing of a Deferred; trial's own mark is `todo`.
    assert "FAILED (skips=1, failures=1, errors=7, successes=1)" in output, output


def test_processes_and_plans_beside_a_running_reactor(twisted, tmp_path):
    shutil.copy(HERE / "plan_files/protocols.py", tmp_path / "test_protocols.py")
    status, output = trial(twisted, tmp_path, "test_protocols")
    assert status == 0 and "PASSED (successes=7)" in output, output


def test_flumotions_own_tests(twisted, tmp_path):
    if not FLUMOTION.exists():
        pytest.skip("no copy of Flumotion's tests at hand: FLUMOTION_TESTS names none")
    converted = tmp_path / "test_flumotion.py"
    subprocess.run(["/usr/bin/python3", ROOT / "tools/py2to3.py", FLUMOTION, converted], check=True)
    status, output = trial(twisted, tmp_path, "test_flumotion")
    assert status == 0 and "PASSED (successes=15)" in output, output
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and re.search(r"-20\d{6}-", path.name)]


def test_flumotions_own_tests_as_a_task(runner, twisted, tmp_path):
    if not FLUMOTION.exists():
        pytest.skip("no copy of Flumotion's tests at hand: FLUMOTION_TESTS names none")
    converted = tmp_path / "test_flumotion.py"
    subprocess.run(["/usr/bin/python3", ROOT / "tools/py2to3.py", FLUMOTION, converted], check=True)
    done = subprocess.run(
        [runner, "runnable-run", "-k", "vt-plan", "-u", converted, f"output_dir={tmp_path}"],
        env={**os.environ, "AVOCADO_VT_PYTHON": twisted}, capture_output=True, text=True, check=True,
    )
    assert "'result': 'pass'" in done.stdout.splitlines()[-1], done.stdout
    assert len(set(re.findall(r"Integration\w+Test\.test\w+: PASS", done.stdout))) == 15, done.stdout
