# SPDX-License-Identifier: GPL-2.0-or-later
"""Packet tests (framework) on Open vSwitch under Avocado."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from jobs import BUILD, ROOT, VENV, Site, processes_with

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE / "packet_files"
PYTHON = BUILD / "lib/avocado-runner-vt/python"

pytestmark = pytest.mark.skipif(
    not (BUILD / "bin/avocado-runner-vt").exists() or not (VENV / "bin/avocado").exists(),
    reason="the runner or Avocado is missing",
)


def obstacle():
    """Why Open vSwitch cannot be tested here."""
    if shutil.which("ovs-vswitchd", path=os.environ["PATH"] + ":/usr/sbin") is None:
        return "packet tests need Open vSwitch (package openvswitch-switch)"
    done = subprocess.run(["unshare", "-n", "true"], capture_output=True, text=True, check=False)
    return "packet tests need root and network namespaces" if done.returncode else None


@pytest.fixture(scope="module")
def world():
    """A place for Avocado that was never bootstrapped."""
    found = obstacle()
    if found:
        pytest.skip(found)
    place = Site()
    shutil.copy(FILES / "switching.py", place.root / "switching.py")
    yield place
    place.remove()


@pytest.fixture(scope="module")
def job(world):
    """One job of all tests, two daemons side by side."""
    done = world.run("switching.py", parallel=2)
    assert done.tests, done.output
    return done


def of(job, name):
    return job.test(f"switching.py:{name}")


def test_list_shows_packet_tests_and_leaves_other_frameworks_alone(world):
    folder = world.root / "folder"
    folder.mkdir()
    shutil.copy(FILES / "switching.py", folder / "switching.py")
    (folder / "other.py").write_text(
        "from framework import Thing\nimport unittest\nclass Case(unittest.TestCase):\n    def test(self):\n        pass\n")
    done = world.avocado("list", "folder")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["vt-packet", "folder/switching.py:Learning.test_learning"] in lines, done.output
    assert ["python-unittest", "folder/other.py:Case.test"] in lines, done.output
    assert not [name for kind, name in lines if kind == "vt-packet" and "OvsTestCase" in name]


def test_capabilities_name_the_kind():
    for program in ("avocado-runner-vt", "avocado-runner-vt-packet"):
        done = subprocess.run([BUILD / "bin" / program, "capabilities"], capture_output=True, text=True, check=True)
        assert "vt-packet" in json.loads(done.stdout)["runnables"]


@pytest.mark.parametrize("name", [
    "Learning.test_flooding_before_learning", "Learning.test_learning", "Vlans.test_access_and_trunk",
    "Vlans.test_sub_interface", "Thousand.test_mixed_sizes", "AccessList.test_dropped_without_reply",
    "Nat.test_checksums_are_made_anew", "Veth.test_through_veths", "Veth.test_tags_stay", "Tap.test_through_taps",
])
def test_open_vswitch(job, name):
    test = of(job, name)
    assert test.status == "PASS", f"{test.reason}\n{test.log}"


def directory_of(test, name):
    found = list(test.logdir.glob(f"vpp-unittest-{name}-*"))
    assert len(found) == 1, found
    return found[0]


def test_a_crash_in_mid_test_is_told_with_its_signal_and_leaves_a_core(job):
    test = of(job, "Crash.test_crash")
    assert test.status == "ERROR"
    assert re.search(r"VppDiedError: ovs-vswitchd \(process \d+\) was killed by SIGSEGV \(core dumped\)", test.reason), test.reason
    files = directory_of(test, "Crash")
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if "/" not in pattern and not pattern.startswith("|"):
        assert list(files.glob(pattern.split("%")[0] + "*")), list(files.iterdir())
        assert "its core is" in test.reason
        assert "Thread " in (files / "ovs-vswitchd.backtrace").read_text()


def test_captures_logs_and_a_trace_are_in_the_results(job):
    test = of(job, "Mismatch.test_mismatch")
    assert (test.status, test.reason.split(" (switching.py")[0]) == (
        "FAIL", "CaptureError: No packets captured on pg0: 1 were expected within 1 s"), test.reason
    files = {path.name for path in directory_of(test, "Mismatch").iterdir()}
    assert {"log.txt", "ovs-vswitchd.log", "ovs-vswitchd.stderr", "pg0_in.pcap", "pg1_tx.pcap"} <= files, files
    trace = (directory_of(test, "Mismatch") / "debug_pg0_0_count-mismatch.trace").read_text()
    assert "Datapath actions" in trace


def test_nothing_is_left_of_the_daemons(job, world):
    assert not processes_with(world.mark)
    assert not list(pathlib.Path(world.runtime).glob("pkt-*"))


@pytest.fixture(scope="module")
def faults(world):
    """One job of daemons that misbehave."""
    for name in ("faults.py", "hub.py"):
        shutil.copy(FILES / name, world.root / name)
    done = world.run("faults.py", parallel=2)
    assert done.tests, done.output
    return done


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("HubCase.test_hub", "PASS", ""),
        ("Missing.test", "ERROR", r"the daemon no-such-switch is not there or not executable; install it, or name it by its path"),
        ("Exits.test", "ERROR", r"it ended before it was ready: .* ended with exit status 1 .*: no configuration"),
        ("NeverReady.test", "ERROR", r"was not ready within 0.5 s: there was not a line matching '\^ready\$' in its output"),
        ("Stubborn.test", "PASS", ""),
        ("Endless.test", "FAIL", r"Captured packets mismatch, captured 3 packets, expected 1 packets on pg1"),
        ("TooLong.test", "PASS", ""),
        ("TooLong.test_twice", "PASS", ""),
    ],
)
def test_daemons_that_misbehave(faults, name, status, reason):
    test = faults.test(f"faults.py:{name}")
    assert test.status == status, f"{test.reason}\n{test.log}"
    assert re.search(reason, test.reason), test.reason


def test_nothing_is_left_of_what_misbehaved(faults, world):
    assert not processes_with(world.mark)
    assert "more than its MTU of 1500 lets through" in faults.test("TooLong.test").log


def test_where_no_namespace_can_be_made_the_test_is_skipped(world):
    """Without the capability that namespaces need: SKIP, with what is needed."""
    if shutil.which("setpriv") is None:
        pytest.skip("packet tests need root and network namespaces")
    done = world.run("switching.py:Learning.test_learning", prefix=("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"))
    assert done.only.status == "SKIP", done.only
    assert "a network namespace cannot be made here: it needs root (CAP_SYS_ADMIN)" in done.only.reason


def test_the_example_of_the_documentation(world):
    text = (ROOT / "docs/packet-tests.md").read_text(encoding="utf-8")
    example = re.search(r"\n\n((?:    .*\n|\n)+?)(?=\n*[^ \n])", text[text.index("`first.py`:"):]).group(1)
    (world.root / "first.py").write_text(re.sub(r"^    ", "", example, flags=re.MULTILINE).split("$ avocado")[0])
    assert world.run("first.py").only.status == "PASS"


def test_a_packet_test_in_cpp(site):
    found = obstacle()
    if found:
        pytest.skip(found)
    done = site.run("packet_native").only
    assert done.status == "PASS", f"{done.reason}\n{done.log}"
    assert list(done.logdir.rglob("pg1_tx.pcap"))
    crashed = site.run("packet_native", params=["crash=yes", "packets=10"]).only
    assert crashed.status == "ERROR" and "was killed by SIGSEGV" in crashed.reason, crashed


def test_a_file_of_its_own_python(world):
    """Without Avocado: the runner and the result of the framework."""
    done = subprocess.run(
        ["/usr/bin/python3", "switching.py", "Learning", "Mismatch"], cwd=world.root, check=False, capture_output=True, text=True,
        env={**world.environment, "PYTHONPATH": f"{PYTHON}:{PYTHON}/_packet", "FAILED_DIR": str(world.root)})
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(r"^What has been sent from is sent to alone +OK$", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"FAIL \[ temp dir used by test case: .*vpp-unittest-Mismatch-", done.stdout)
    links = list(world.root.glob("vpp-unittest-Mismatch-*-FAILED"))
    assert len(links) == 1 and (links[0] / "log.txt").exists()
