# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that run at once: what they share is never in two hands, who waits says for what, and nobody waits for ever."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest
from jobs import BUILD, VENV, Site, wait_until

GUEST = ["--vt-guest-os", "JeOS.mini-direct"]
# No machine is started, so that a test is over at once when it is let go.
OFF = ["start_vm=no", "kill_vm=yes"]


class Running:
    """A job that is looked at while it runs. Its tests of `holds` go on once go() was called."""

    count = 0

    def __init__(self, site, *references, params=(), parallel=1, environment=None, prefix=(), kind="vm"):
        Running.count += 1
        self.site = site
        self.go_file = site.root / f"go-{Running.count}"
        self.results = site.root / f"results-{Running.count}"
        words = ["--config", self._config(kind), "run", "--vt-type", "qemu", "--max-parallel-tasks", parallel]
        for pair in [*params, f"until={self.go_file}"]:
            words += ["--vt-extra-params", pair]
        self.process = site.start(*words, "--", *references, environment=environment, prefix=prefix)

    def _config(self, kind):
        path = self.site.root / f"{kind}-{Running.count}.conf"
        path.write_text(f"[datadir.paths]\nlogs_dir = {self.results}\n")
        path.chmod(0o644)
        return path

    def log(self, ending):
        """debug.log of the test whose name ends so, as far as it is written."""
        found = [path for path in self.results.glob("job-*/test-results/*/debug.log") if path.parent.name.endswith(ending)]
        return found[0].read_text(errors="replace") if found else ""

    def wait_for(self, ending, words, timeout=30):
        """Waits until the test's log matches."""
        try:
            wait_until(ending, lambda: re.search(words, self.log(ending)), timeout)
        except AssertionError:
            raise AssertionError(f"not within {timeout} s: {words!r} in the log of {ending}:\n{self.log(ending)}") from None

    def holds(self, ending, timeout=30):
        """Waits until the test is past all its waits."""
        self.wait_for(ending, "holding until", timeout)

    def go(self):
        self.go_file.touch()

    def finish(self, timeout=100):
        """Status by the last part of the test's name, and the whole of it by reason."""
        self.output = "".join(self.process.communicate(timeout=timeout))
        found = list(self.results.glob("job-*/results.json"))
        assert found, self.output
        self.tests = json.loads(found[0].read_text())["tests"]
        return {test["name"].rsplit(".", 1)[-1]: test["status"] for test in self.tests}

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def start(site):
    jobs = []

    def start_job(*references, on=site, **options):
        jobs.append(Running(on, *references, **options))
        return jobs[-1]

    yield start_job
    for job in jobs:
        job.kill()


@pytest.fixture
def image(site):
    path = site.data / "images/shared.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    yield "image_name_image1=images/shared"
    for file in path.parent.glob("shared.*"):
        file.unlink()


def test_four_guests_at_once(vm_site):
    """As a user would: --max-parallel-tasks 4, and all pass; each has ports, MAC and sockets of its own."""
    job = vm_site.run(*["uptime"] * 4, parallel=4, options=GUEST, timeout=400)
    assert [test.status for test in job.tests] == ["PASS"] * 4, job.tests
    assert "max-parallel-tasks" not in job.output and "max_parallel_tasks" not in job.output, job.output
    commands = [re.search(r"Running qemu command:\n.*", test.log).group() for test in job.tests]
    for what in (r"hostfwd=tcp:127\.0\.0\.1:(\d+)", r"mac\W+([0-9a-f:]{17})", r"path=(\S*?/vm-\w+)/"):
        found = [re.search(what, command).group(1) for command in commands]
        assert len(set(found)) == 4, found
    assert all("overlay" in test.log for test in job.tests)
    assert vm_site.no_process_within(2) < 2
    vm_site.runner("reap")
    assert vm_site.leftovers() == []
    assert list((vm_site.root / "host").glob("avocado-vt-claim-*")) == []


def test_kept_machine_is_leased_by_one_test_at_a_time(vm_site):
    """Each waits for the machine that another keeps, and finds it."""
    for path in vm_site.root.glob("keeps*.json"):
        path.unlink()
    job = vm_site.run("keeps_first", "keeps_second", "keeps_third", parallel=3, options=GUEST)
    assert [test.status for test in job.tests] == ["PASS"] * 3, job.tests
    pids = {json.loads((vm_site.root / f"keeps_{name}.json").read_text())["qemu"] for name in ("first", "second", "third")}
    assert len(pids) == 1
    assert sum("waiting for VM avocado-vt-vm1 of this job, held by" in test.log for test in job.tests) == 2
    assert vm_site.no_process_within(2) < 2


def test_a_test_that_removes_the_image_waits_for_it(start, image):
    """The others have overlays; this one has the image alone, and is named while it waits and is waited for."""
    job = start("vm.holds", "vm.off", params=[*OFF, image], parallel=2)
    job.holds("vm.holds")
    job.wait_for("vm.off", "done: nothing")
    # In a job of its own, since one parameter is for all tests of a job.
    other = start("vm.off", params=[*OFF, image, "remove_image_image1=yes"])
    other.wait_for("vm.off", r"waiting for image image1 \(.*shared\.qcow2\), held by \S*vm\.holds \(pid \d+\)")
    job.go()
    assert job.finish() == {"holds": "PASS", "off": "PASS"}
    assert other.finish() == {"off": "PASS"}


def test_many_who_want_the_same_images_in_any_order(site, image):
    """All want both images alone, each first another one."""
    second = "image_name_stg=images/shared.stg"
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(site.data / "images/shared.stg.raw"), "1M"], check=True)
    job = site.run(
        *["vm.two_images"] * 3, *["vm.two_images_turned"] * 3, parallel=6,
        params=[*OFF, image, second, "image_format_stg=raw", "remove_image_stg=no", "force_create_image=yes",
                "image_size=1M"],
    )
    assert [test.status for test in job.tests] == ["PASS"] * 6, job.tests


def test_memory(start):
    """A test whose machine does not fit beside the others waits, though its own time limit is short."""
    environment = {"AVOCADO_VT_MEMORY": "1000"}
    params = [*OFF, "images=", "mem=600"]
    first = start("vm.holds", params=params, environment=environment)
    first.holds("vm.holds")
    second = start("vm.off", params=[*params, "test_timeout=2"], environment=environment)
    second.wait_for(
        "vm.off",
        r"waiting for 728 MiB of memory \(host has 1000 for all tests, .*\), held by \S*vm\.holds \(pid \d+\)",
    )
    waiting_since = time.monotonic()
    wait_until("its time limit has passed", lambda: time.monotonic() - waiting_since > 2.2)
    assert second.process.poll() is None
    first.go()
    assert first.finish() == {"holds": "PASS"}
    assert second.finish() == {"off": "PASS"}


def test_the_only_test_does_not_fit(site, image):
    """It is run: whoever wrote it may know better."""
    job = site.run("vm.off", params=[*OFF, image, "mem=5000"], environment={"AVOCADO_VT_MEMORY": "1000"})
    assert job.only.status == "PASS", job.only
    assert re.search(r"want 5128 MiB of memory, of which host has only 1000 available", job.only.log)


def test_a_test_that_changes_the_host_has_it_alone(start, image):
    first = start("deps.leads")
    first.holds("deps.leads")
    changer = start("deps.leads", params=["setup_hugepages=yes"])
    changer.wait_for("deps.leads", r"This test changes the host \(setup_hugepages = yes\)")
    changer.wait_for("deps.leads", r"waiting for the host for itself.*, held by \S*deps\.leads \(pid \d+\)")
    later = start("deps.follows")
    later.wait_for("deps.follows", r"waiting for the host, which another test changes, held by \S*deps\.leads")
    first.go()
    assert first.finish() == {"leads": "PASS"}
    changer.holds("deps.leads")
    assert "done:" not in later.log("deps.follows")
    changer.go()
    assert changer.finish() == {"leads": "PASS"}
    assert later.finish() == {"follows": "PASS"}


def test_dependency_that_runs(start):
    job = start("deps.leads", "deps.follows", parallel=2)
    job.wait_for("deps.follows", r"waiting for the end of \S*deps\.leads \(pid \d+\), on which this test depends")
    assert "done:" not in job.log("deps.follows")
    job.go()
    assert job.finish() == {"leads": "PASS", "follows": "PASS"}
    ends = {test["name"].rsplit(".", 1)[-1]: test["time_end"] for test in job.tests}
    assert ends["leads"] < ends["follows"]
    assert "WARNI" not in job.log("deps.follows")


def test_dependency_that_was_killed(start, site):
    (site.root / "leads.json").unlink(missing_ok=True)
    job = start("deps.leads", "deps.follows", parallel=2)
    job.holds("deps.leads")
    job.wait_for("deps.follows", "waiting for the end of")
    os.kill(json.loads((site.root / "leads.json").read_text())["body"], signal.SIGKILL)
    assert job.finish() == {"leads": "ERROR", "follows": "PASS"}
    assert re.search(r"deps\.leads, on which this one depends \(dep\), ended without a result", job.log("deps.follows"))


DEPENDENCIES = {
    "failed": (["fails_first", "follows_failure"], r"fails_first, on which this one depends \(dep\), ended with FAIL"),
    "not started": (["follows"], r"has not started \S*leads, on which this test depends"),
    "comes later": (["follows", "raises.passes"], r"has not started \S*leads, on which this test depends"),
    "not there": (["follows_nobody"], r"has not started \S*no_such_test, on which this test depends"),
}


@pytest.mark.parametrize("case", DEPENDENCIES)
def test_dependency_that_is_no_help(site, case):
    """The test runs all the same, with a warning."""
    names, warning = DEPENDENCIES[case]
    job = site.run(*(name if "." in name else "deps." + name for name in names))
    test = [test for test in job.tests if "follows" in test.name][0]
    assert test.status == "PASS", test
    assert re.search("WARNI.*" + warning, test.log), test.log


def test_told_to_end_while_waiting(start, site):
    """As any other test: Avocado's timeout, Ctrl+C."""
    job = start("deps.leads", "deps.follows", parallel=2)
    job.wait_for("deps.follows", "waiting for the end of")
    waiting = [pid for pid in site.processes("deps.follows") if parent_of(pid) == job.process.pid]
    assert len(waiting) == 1
    os.kill(waiting[0], signal.SIGTERM)
    job.wait_for("deps.follows", "told to end")
    job.go()
    assert job.finish() == {"leads": "PASS", "follows": "INTERRUPTED"}
    assert site.no_process_within(2) < 2


def parent_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


# Two users of one host.
class UserSite(Site):
    """A site of an unprivileged user."""

    PREFIX = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

    def start(self, *words, prefix=(), **options):
        return super().start(*words, prefix=[*self.PREFIX, *prefix], **options)


@pytest.fixture(scope="module")
def shared_dir():
    """A directory for what two users share, the host's locks among it: not below pytest's own, which are private."""
    with tempfile.TemporaryDirectory(prefix="vt-host-") as name:
        path = pathlib.Path(name)
        path.chmod(0o1777)
        yield path


@pytest.fixture(scope="module")
def user_site():
    done = subprocess.run([*UserSite.PREFIX, str(BUILD / "bin/avocado-runner-vt"), "--version"], check=False)
    other = subprocess.run([*UserSite.PREFIX, str(VENV / "bin/avocado"), "--version"], check=False)
    if os.geteuid() != 0 or done.returncode != 0 or other.returncode != 0:
        pytest.skip("running jobs of another user needs root and a build that all can read")
    site = UserSite()
    site.environment["XDG_CACHE_HOME"] = str(site.root / "cache")
    (site.root / "cache").mkdir()
    site.add_provider("statuses")
    subprocess.run(["chown", "-R", "65534:65534", str(site.root)], check=True)
    done = site.avocado("vt-bootstrap", "--vt-type", "qemu", "--vt-skip-verify-download-assets")
    assert done.returncode == 0, done.output
    yield site
    site.remove()


def test_two_users_on_one_host(start, site, user_site, shared_dir):
    """Whoever waits is told for which test of which user."""
    environment = {"AVOCADO_VT_HOST_DIR": str(shared_dir)}
    ours = start("deps.leads", params=["host_lock=exclusive"], environment=environment)
    ours.holds("deps.leads")
    theirs = start("deps.leads", on=user_site, environment=environment)
    theirs.wait_for("deps.leads", r"waiting for the host, .*held by \S*deps\.leads \(pid \d+\) of user root")
    ours.go()
    assert ours.finish() == {"leads": "PASS"}
    theirs.holds("deps.leads")
    again = start("deps.leads", params=["host_lock=exclusive"], environment=environment)
    again.wait_for("deps.leads", r"waiting for the host .*held by \S*deps\.leads \(pid \d+\) of user nobody")
    theirs.go()
    assert theirs.finish() == {"leads": "PASS"}
    again.go()
    assert again.finish() == {"leads": "PASS"}
    assert list(shared_dir.iterdir()) == []


def test_an_image_that_two_users_share(start, site, user_site, shared_dir):
    environment = {"AVOCADO_VT_HOST_DIR": str(shared_dir)}
    image = shared_dir / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "16M"], check=True)
    image.chmod(0o666)
    params = [*OFF, f"images_base_dir={shared_dir}", "image_name_image1=image", "backup_image_before_testing=no"]
    ours = start("vm.holds", params=params, environment=environment)
    ours.holds("vm.holds")
    theirs = start("vm.off", on=user_site, params=params, environment=environment)
    theirs.wait_for("vm.off", r"waiting for image image1 .*held by \S*vm\.holds \(pid \d+\) of user root")
    ours.go()
    assert ours.finish() == {"holds": "PASS"}
    assert theirs.finish() == {"off": "PASS"}
    image.unlink()
    assert list(shared_dir.glob("avocado-vt-image-*")) == []


def test_a_killed_test_holds_nothing(start, site, image):
    """Its places go with it, whatever it held."""
    job = start("vm.holds", params=[*OFF, image, "host_lock=exclusive"])
    job.holds("vm.holds")
    waiting = start("vm.off", params=[*OFF, image])
    waiting.wait_for("vm.off", "waiting for image")
    job.process.kill()
    job.process.communicate()
    assert waiting.finish() == {"off": "PASS"}
    assert site.run("vm.off", params=[*OFF, image]).only.status == "PASS"
    assert list((site.root / "host").glob("avocado-vt-claim-*")) == []
    assert list((site.root / "host").glob("avocado-vt-image-*")) == []
