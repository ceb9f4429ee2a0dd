# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing survives: whoever of Avocado, supervisor, body, guardian and QEMU is ended, and how.

Each time the processes must be gone within two seconds, and what is no process with the next command.
"""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from jobs import Job, command_line, wait_until


@pytest.fixture(scope="module")
def image(site):
    path = site.data / "images/survival.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    return path


class Running:
    """A job whose first test sleeps beside its machine; the second one shows whether the job goes on."""

    def __init__(self, site, *options):
        self.site = site
        for path in site.root.glob("*.json"):
            path.unlink()
        self.before = site.results_dirs()
        self.avocado = site.start(
            "run", "--vt-type", "qemu", "--max-parallel-tasks", 1, *options,
            "--vt-extra-params", "image_name_image1=images/survival", "--", "vm.sleeps", "raises.passes",
        )

    def wait_for_test(self):
        site = self.site
        path = site.root / "sleeps.json"
        wait_until("the test's start", path.exists, 30)
        self.pids = json.loads(path.read_text())
        self.guardian = site.processes(" guardian ")[0]
        self.results = [path for path in site.results_dirs() if path not in self.before][0]
        assert self.pids["qemu"] in site.qemus()
        assert "task-run" in command_line(self.pids["supervisor"])

    def finish(self, timeout=60):
        stdout, stderr = self.avocado.communicate(timeout=timeout)
        done = subprocess.CompletedProcess([], self.avocado.returncode, stdout, stderr)
        return Job(done, self.results)

    def gone(self, *names, within=2):
        """Waits until these are gone."""
        for name in names:
            wait_until(f"the end of {name}", lambda: command_line(self.pids[name]) == "", within)

    def kill_everything(self):
        """What ends by the end of another, before its turn comes, is as dead."""
        for pid in (self.avocado.pid, self.pids["supervisor"], self.pids["body"], self.guardian):
            try:
                kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def nothing_is_left(self):
        self.site.no_process_within(2)
        done = self.site.runner("reap")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.site.leftovers() == []


@pytest.fixture
def running(site, image):
    jobs = []

    def start(*options):
        jobs.append(Running(site, *options))
        jobs[-1].wait_for_test()
        return jobs[-1]

    yield start
    for job in jobs:
        if job.avocado.poll() is None:
            job.avocado.kill()
        job.avocado.communicate()


def comm(pid):
    """A process's name."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def kill(pid, number):
    os.kill(pid, number)
    return time.monotonic()


def test_sigterm_to_the_runner(running):
    """As Avocado does it: `finished` and the machine's end within the second that it grants."""
    job = running()
    kill(job.pids["supervisor"], signal.SIGTERM)
    job.gone("body", "qemu", "supervisor", within=1.5)
    done = job.finish()
    assert done.test("vm.sleeps").status == "INTERRUPTED"
    assert done.test("vm.sleeps").reason.startswith("Test interrupted: the runner was told to end (SIGTERM)")
    assert done.test("raises.passes").status == "PASS"
    job.nothing_is_left()


def test_sigkill_of_the_body(running):
    job = running()
    kill(job.pids["body"], signal.SIGKILL)
    job.gone("body", "qemu")
    done = job.finish()
    test = done.test("vm.sleeps")
    assert test.status == "ERROR"
    assert test.reason.startswith("The test's process ended before the test did: killed by SIGKILL")
    assert "Running qemu command" in test.log
    assert done.test("raises.passes").status == "PASS"
    job.nothing_is_left()


def test_sigkill_of_the_supervisor(running):
    """Machine and body are gone at once, and the job goes on."""
    job = running()
    kill(job.pids["supervisor"], signal.SIGKILL)
    job.gone("body", "qemu")
    done = job.finish()
    assert done.test("vm.sleeps").status == "ERROR"
    assert done.test("vm.sleeps").reason.startswith("the runner was killed")
    assert done.test("raises.passes").status == "PASS"
    job.nothing_is_left()


def test_sigkill_of_all_but_avocado(running):
    """Avocado's own process sees it, and goes on."""
    job = running()
    sweeper = [pid for pid in job.site.processes() if comm(pid) == "vt-sweeper"]
    kill(job.pids["supervisor"], signal.SIGSTOP)
    for pid in (*sweeper, job.guardian, job.pids["body"], job.pids["supervisor"]):
        kill(pid, signal.SIGKILL)
    job.gone("qemu")
    done = job.finish()
    assert done.test("vm.sleeps").reason.startswith("the runner was killed by signal 9 (SIGKILL)")
    assert done.test("raises.passes").status == "PASS"
    job.nothing_is_left()


def test_sigkill_of_avocado(running):
    job = running()
    kill(job.avocado.pid, signal.SIGKILL)
    job.avocado.communicate()
    job.gone("supervisor", "body", "qemu")
    job.nothing_is_left()


def test_sigterm_to_avocado(running):
    job = running()
    job.avocado.terminate()
    job.avocado.communicate(timeout=10)
    job.gone("supervisor", "body", "qemu")
    job.nothing_is_left()


def test_sigint_to_avocado(running):
    """What Ctrl+C does."""
    job = running()
    kill(job.avocado.pid, signal.SIGINT)
    done = job.finish(15)
    assert done.returncode == 8
    assert done.test("vm.sleeps").status == "INTERRUPTED"
    job.nothing_is_left()


def test_sigkill_of_the_guardian(running):
    """The machines go with it, and the test says what happened to its own."""
    job = running()
    kill(job.guardian, signal.SIGKILL)
    job.gone("qemu")
    kill(job.pids["body"], signal.SIGINT)  # spares us the rest of its minute
    done = job.finish()
    assert done.test("vm.sleeps").status in ("INTERRUPTED", "ERROR")
    assert done.test("raises.passes").status == "PASS"
    job.nothing_is_left()


def test_sigkill_of_everything_at_once(running):
    """As the kernel does when memory runs out, or a person with killall."""
    job = running()
    job.kill_everything()
    job.avocado.communicate()
    job.gone("qemu")
    job.nothing_is_left()


def test_a_stopped_qemu_is_taken_down_at_once(site, image):
    """It hears neither its monitor nor its power button, and is not asked at length."""
    done = site.run("vm.stops_qemu", params=["image_name_image1=images/survival"])
    test = done.only
    assert re.search(r"QEMU \(pid \d+\) is stopped .* no graceful end", test.log)
    stopped = re.search(r"^.* (\d+):(\d+):([\d,]+) .*done: stops_qemu", test.log, re.MULTILINE).groups()
    gone = re.findall(r"^\[stdlog\] \S+ (\d+):(\d+):([\d,]+) ", test.log, re.MULTILINE)[-1]
    seconds = [int(h) * 3600 + int(m) * 60 + float(s.replace(",", ".")) for h, m, s in (stopped, gone)]
    assert (seconds[1] - seconds[0]) % 86400 < 15, test.log
    site.no_process_within(2)


def test_timeout_of_the_job(running):
    job = running("--job-timeout", "6")
    done = job.finish(30)
    assert done.test("vm.sleeps").status == "INTERRUPTED"
    assert re.match("Test interrupted|Timeout reached", done.test("vm.sleeps").reason)
    job.nothing_is_left()


def test_the_next_command_clears_up_as_well_as_reap(running, site, image):
    job = running()
    job.kill_everything()
    job.avocado.communicate()
    site.no_process_within(2)
    assert site.leftovers(), "there is nothing to clear up"
    done = site.run("raises.passes")
    assert done.only.status == "PASS"
    site.no_process_within(2)
    assert site.leftovers() == []


def test_the_image_is_whole_afterwards(image):
    subprocess.run(["qemu-img", "check", "-q", str(image)], check=True)
