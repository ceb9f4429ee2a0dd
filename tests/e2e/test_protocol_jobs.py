# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol under real Avocado: a body that does its worst neither hangs the job nor spoils another test.

The runner is protocol_runner.cpp; what runs are recipes, which Avocado resolves without the plugin.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from conftest import NO_JOB_LOCK, parts_of, pids_with
from jobs import command_line

# Every mistake that hangs a job or spoils others' results, by what the body does: the status it has to end in.
MISTAKES = {
    "fine-before": ({"to_log": "1", "to_stdout": "1", "to_whiteboard": "1", "text": "fine\n"}, "PASS"),
    "no-finished-killed": ({"die": "kill"}, "ERROR"),
    "no-finished-exit": ({"die": "exit"}, "ERROR"),
    "no-finished-exit3": ({"die": "exit3"}, "ERROR"),
    "no-finished-crash": ({"die": "segfault"}, "ERROR"),
    "garbage": ({"garbage": "1"}, "PASS"),
    "invalid-utf8-log": ({"to_log": "1", "text": "a\udcff\udcc3"}, "PASS"),
    "invalid-utf8-whiteboard": ({"to_whiteboard": "1", "text": "a\udcff"}, "PASS"),
    "invalid-utf8-stdout": ({"to_stdout": "1", "text": "a\udcff\nb\udcc3"}, "PASS"),
    "invalid-utf8-output": ({"to_output": "1", "text": "a\udcff"}, "PASS"),
    "invalid-utf8-reason": ({"result": "fail", "reason": "a\udcffb\nc"}, "FAIL"),
    "partial-line": ({"to_stdout": "1", "text": "no newline"}, "PASS"),
    "file-outside": ({"to_file": "../../outside", "text": "x"}, "PASS"),
    "large-log": ({"to_log": "1", "text": "x" * 100, "count": "250000"}, "PASS"),
    "large-stdout": ({"to_stdout": "1", "text": "y" * 100, "count": "250000"}, "PASS"),
    "long-reason": ({"result": "error", "reason": "z" * 60000}, "ERROR"),
    "leaves-daemons": ({"daemons": "1"}, "PASS"),
    "own-time-limit": ({"limit": "0.3", "sleep": "100"}, "INTERRUPTED"),
    "throws": ({"throw": "what?"}, "ERROR"),
    **{f"status-{name}": ({"result": name, "reason": f"why {name}"}, name.upper())
       for name in ("pass", "fail", "error", "skip", "cancel", "warn", "interrupted")},
    "fine-after": ({"to_log": "1", "to_stdout": "1", "to_whiteboard": "1", "text": "fine\n"}, "PASS"),
}  # fmt: skip


def write_recipes(path, bodies):
    """A file with a recipe for each body; what JSON cannot hold arrives as Avocado passes it."""
    recipes = [{"kind": "vt", "uri": name, "kwargs": arguments} for name, arguments in bodies.items()]
    path.write_text(json.dumps(recipes))
    return path


class Job:
    """A run of Avocado, and what it wrote."""

    def __init__(self, process):
        self.process = process
        self.output = ""

    def wait(self, timeout=60):
        self.output = self.process.communicate(timeout=timeout)[0]
        return self.process.returncode

    def directory(self):
        return pathlib.Path(re.search(r"JOB LOG +: (.*)/job.log", self.output).group(1))

    def results(self):
        tests = json.loads((self.directory() / "results.json").read_text())["tests"]
        return {test["id"].split("-", 1)[1]: test for test in tests}

    def file(self, test, name):
        (directory,) = self.directory().glob(f"test-results/*-{test}")
        return (directory / name).read_bytes()


@pytest.fixture
def start_job(venv, clean_environment, nothing_survives, tmp_path):
    """Starts `avocado run` for bodies by name."""
    jobs = []

    def start(bodies, *options):
        recipes = write_recipes(tmp_path / "recipes.json", bodies)
        name, value = nothing_survives.split("=", 1)
        process = subprocess.Popen(
            [str(venv / "bin/avocado"), "run", *options, str(recipes)],
            env={**clean_environment, name: value, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        jobs.append(Job(process))
        return jobs[-1]

    yield start
    for job in jobs:
        if job.process.poll() is None:
            os.killpg(job.process.pid, signal.SIGKILL)
            job.process.communicate()


@pytest.fixture(scope="module")
def worst_job(venv, protocol_runner, tmp_path_factory):
    """One job with all mistakes, its tests side by side."""
    root = tmp_path_factory.mktemp("worst")
    for directory in ("bin", "home/.config/avocado", "tmp"):
        (root / directory).mkdir(parents=True)
    (root / "home/.config/avocado/avocado.conf").write_text(NO_JOB_LOCK)
    (root / "bin/avocado-runner-vt").symlink_to(protocol_runner)
    recipes = write_recipes(root / "recipes.json", {name: body for name, (body, _) in MISTAKES.items()})
    environment = {
        "HOME": str(root / "home"),
        "TMPDIR": str(root / "tmp"),
        "PATH": f"{root}/bin:{venv}/bin:/usr/bin:/bin",
        "AVOCADO_VT_RUNTIME_DIR": str(root / "run"),
        "LANG": "C.UTF-8",
    }
    options = ["--disable-sysinfo", "--max-parallel-tasks", "4", "--job-results-dir", str(root / "results")]
    job = Job(
        subprocess.Popen(
            [str(venv / "bin/avocado"), "run", *options, str(recipes)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    )
    try:
        job.wait(120)
    finally:
        job.process.kill()
    return job


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_ends_well(worst_job, name):
    result = worst_job.results()[name]
    assert result["status"] == MISTAKES[name][1], result["fail_reason"]
    if result["status"] != "PASS":
        assert result["fail_reason"] and "\n" not in result["fail_reason"]


def test_mistakes_do_not_spoil_their_neighbours(worst_job):
    assert worst_job.process.returncode == 1 | 8  # tests failed, and some were interrupted
    for name in ("fine-before", "fine-after"):
        assert worst_job.file(name, "stdout") == b"fine\n"
        assert worst_job.file(name, "whiteboard").strip() == b"fine"
        log = worst_job.file(name, "debug.log")
        assert b"fine" in log and b"no newline" not in log
    assert worst_job.file("partial-line", "stdout") == b"no newline\n"


def test_large_output_is_whole(worst_job):
    assert len(worst_job.file("large-stdout", "stdout").replace(b"\n", b"")) == 25_000_000
    assert worst_job.file("large-log", "debug.log").count(b"x") >= 25_000_000


def test_files_stay_inside_the_results(worst_job):
    assert not list(worst_job.directory().parent.glob("outside"))


def test_reason_tells_how_the_process_ended(worst_job):
    results = worst_job.results()
    assert "killed by SIGSEGV" in results["no-finished-crash"]["fail_reason"]
    assert "exit status 3" in results["no-finished-exit3"]["fail_reason"]
    assert results["status-fail"]["fail_reason"] == "why fail"
    assert "test_timeout of 0.3 s" in results["own-time-limit"]["fail_reason"]


def wait_for_body(mark):
    """Waits until the body's own children run."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        commands = [pathlib.Path(f"/proc/{pid}/cmdline") for pid in pids_with(mark)]
        if sum("sleep" in path.read_text() for path in commands if path.exists()) >= 2:
            return
        time.sleep(0.02)
    raise AssertionError("the body did not start")


HANG = {"hang": {"sleep": "1000", "daemons": "1"}}


def test_timeout_of_avocado(start_job):
    job = start_job(HANG, "--disable-sysinfo", "--job-timeout", "2")
    assert job.wait(30) == 8
    assert job.results()["hang"]["status"] == "INTERRUPTED"


def test_interrupt_of_avocado(start_job, nothing_survives):
    job = start_job(HANG, "--disable-sysinfo")
    wait_for_body(nothing_survives)
    began = time.monotonic()
    job.process.send_signal(signal.SIGINT)
    assert job.wait(20) == 8
    assert time.monotonic() - began < 5
    assert job.results()["hang"]["status"] == "INTERRUPTED"


def test_ctrl_c_on_the_terminal(start_job, nothing_survives):
    """The whole foreground group gets SIGINT, the runner included."""
    job = start_job(HANG, "--disable-sysinfo")
    wait_for_body(nothing_survives)
    os.killpg(job.process.pid, signal.SIGINT)
    assert job.wait(20) == 8
    assert job.results()["hang"]["status"] == "INTERRUPTED"


def supervisor_of(job):
    """The runner that Avocado started."""
    pid = job.process.pid
    for child in open(f"/proc/{pid}/task/{pid}/children", encoding="ascii").read().split():
        if "task-run" in command_line(child):
            return int(child)
    raise AssertionError("no runner is there")


@pytest.mark.parametrize(
    "victims",
    [("supervisor",), ("body", "supervisor"), ("sweeper", "supervisor"), ("sweeper", "supervisor", "body")],
    ids=" and ".join,
)
def test_a_killed_runner_does_not_hang_the_job(start_job, nothing_survives, victims):
    """The next test runs, and that one has a result that says what happened, once."""
    job = start_job({**HANG, "next": {}}, "--disable-sysinfo", "--max-parallel-tasks", "1")
    wait_for_body(nothing_survives)
    supervisor = supervisor_of(job)
    pids = {"supervisor": supervisor, **parts_of(supervisor)}
    os.kill(supervisor, signal.SIGSTOP)  # it would start another sweeper at once
    for name in victims:
        os.kill(pids[name], signal.SIGKILL)
    if "body" not in victims and "sweeper" in victims:
        # It has gone with the supervisor; what it has started nobody is left to find.
        for pid in pids_with(nothing_survives):
            if "sleep" in command_line(pid):
                os.kill(pid, signal.SIGKILL)
    assert job.wait(60) == 1
    results = json.loads((job.directory() / "results.json").read_text())
    assert [test["status"] for test in results["tests"]] == ["ERROR", "PASS"]
    assert re.match("the runner was killed", results["tests"][0]["fail_reason"])
    assert "SIGKILL" in results["tests"][0]["fail_reason"]
    for pid in pids_with(nothing_survives):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_avocado(start_job, nothing_survives, number):
    job = start_job(HANG, "--disable-sysinfo")
    wait_for_body(nothing_survives)
    job.process.send_signal(number)
    job.wait(20)
    # the fixture nothing_survives looks for what is left after two seconds
