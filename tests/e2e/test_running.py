# SPDX-License-Identifier: GPL-2.0-or-later
"""What a job leaves and prints: files of a test, reports in every format, and how jobs end before their time."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree

import pytest

from jobs import command_line, wait_until
from terminal import terminal  # noqa: F401 (a fixture)

REFERENCES = ["vm.nothing", "raises.passes", "raises.fails", "raises.errors", "raises.cancels", "raises.skips"]
REFERENCES += ["raises.warns", "raises.two_lines", "raises.not_utf8"]
STATUSES = ["PASS", "PASS", "FAIL", "ERROR", "CANCEL", "SKIP", "WARN"]


@pytest.fixture(scope="module")
def image(site):
    path = site.data / "images/running.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    return ["image_name_image1=images/running"]


@pytest.fixture(scope="module")
def job(site, image):
    done = site.run(*REFERENCES, params=image, options=["--tap", site.root / "job.tap"])
    assert [test.status for test in done.tests][:7] == STATUSES, done.tests
    return done


# --- files ------------------------------------------------------------------------------------------------------------


def test_the_files_of_a_test_with_a_machine(job):
    test = job.tests[0]
    names = {path.name for path in test.logdir.iterdir()}
    assert {"debug.log", "whiteboard", "data", "serial-serial0-avocado-vt-vm1.log"} <= names, names
    assert any(re.fullmatch(r"qmpmonitor1-avocado-vt-vm1-pid-\d+\.log", name) for name in names), names
    assert set(json.loads(test.whiteboard)) == {"kvm_version", "qemu_version"}
    assert test.file("whiteboard").decode().strip() == test.whiteboard.strip()
    assert "[stdlog] " in test.log and "Test parameters:" in test.log
    assert not [name for name in names if name.startswith("tmp_dir")]


def test_each_stream_has_its_file(site, job):
    done = site.run("raises.bytes_on_stdout", "raises.huge_output")
    assert [test.status for test in done.tests] == ["PASS", "PASS"], done.tests
    for test in done.tests:
        assert test.file("stdout"), test
        assert "[stdout] " in test.log


# --- reports ----------------------------------------------------------------------------------------------------------


def check_xunit(text, job):
    suite = xml.etree.ElementTree.fromstring(text)
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == [test.name for test in job.tests]
    assert int(suite.get("tests")) == len(job.tests)
    kinds = {"FAIL": "failure", "ERROR": "error", "CANCEL": "skipped", "SKIP": "skipped"}
    for case, test in zip(cases, job.tests):
        found = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        assert found == ([kinds[test.status]] if test.status in kinds else []), (case.attrib, test)
        for child in case.findall("failure") + case.findall("error"):
            assert child.get("message") and child.get("type"), child.attrib


def check_tap(text, job):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines[0] == f"1..{len(job.tests)}" and len(lines) == len(job.tests) + 1, lines
    for number, (line, test) in enumerate(zip(lines[1:], job.tests), 1):
        good = test.status not in ("FAIL", "ERROR", "INTERRUPTED")
        assert line.startswith(f"{'ok' if good else 'not ok'} {number} {test.name}"), line
        assert ("# SKIP" in line) == (test.status in ("SKIP", "CANCEL")), line


def check_json(text, job):
    data = json.loads(text)
    assert [test["name"] for test in data["tests"]] == [test.name for test in job.tests]
    for test in data["tests"]:
        assert test["time_end"] >= test["time_start"] and test["time_elapsed"] >= 0
        assert test["status"] == "PASS" or test["fail_reason"] not in ("", "<unknown>")


def test_reports_of_every_format(job, site):
    check_xunit((job.dir / "results.xml").read_text(), job)
    check_tap((job.dir / "results.tap").read_text(), job)
    check_tap((site.root / "job.tap").read_text(), job)
    check_json((job.dir / "results.json").read_text(), job)
    page = (job.dir / "results.html").read_text()
    assert all(test.name in page for test in job.tests)


@pytest.mark.parametrize("option, check", [("--json", check_json), ("--xunit", check_xunit), ("--tap", check_tap)])
def test_a_report_on_standard_output_is_that_and_nothing_else(site, image, option, check):
    done = site.run("vm.nothing", "raises.fails", params=image, options=[option, "-"])
    assert [test.status for test in done.tests] == ["PASS", "FAIL"], done.tests
    check(done.stdout, done)


# --- ends -------------------------------------------------------------------------------------------------------------


def test_failfast_ends_the_job_at_the_first_failure(site):
    done = site.run("raises.passes", "raises.fails", "raises.warns", options=["--failfast"])
    assert [test.status for test in done.tests] == ["PASS", "FAIL"], done.tests
    assert "SKIP 1" in done.stdout  # the test that was not begun; Avocado keeps no result of it
    assert done.returncode & 8
    site.no_process_within(2)


def test_avocados_time_out_of_a_task(site, image, tmp_path):
    """The test ends with its machine, and the job goes on."""
    config = tmp_path / "timeout.conf"
    config.write_text("[task.timeout]\nrunning = 8\n")
    for path in site.root.glob("*.json"):
        path.unlink()
    done = site.run("vm.sleeps", "raises.passes", params=image, leading=["--config", config])
    assert [test.status for test in done.tests] == ["INTERRUPTED", "PASS"], done.tests
    assert re.match("Test interrupted|Timeout reached", done.tests[0].reason)
    pids = json.loads((site.root / "sleeps.json").read_text())
    assert command_line(pids["qemu"]) == ""
    site.no_process_within(2)
    site.runner("reap")
    assert site.leftovers() == []


def test_a_tests_own_time_out_with_a_machine(site, image):
    done = site.run("vm.sleeps", "raises.passes", params=[*image, "test_timeout=6"])
    assert [test.status for test in done.tests] == ["INTERRUPTED", "PASS"], done.tests
    assert "it took longer than its test_timeout of 6 s" in done.tests[0].reason
    site.no_process_within(2)


def words_for(image, *references):
    words = ["run", "--vt-type", "qemu", "--max-parallel-tasks", 1]
    for pair in image:
        words += ["--vt-extra-params", pair]
    return [*words, "--", *references]


def test_ctrl_c(site, image, terminal):  # noqa: F811
    """The test says how it ended, what it had is gone, and no further test begins."""
    running = terminal(site, *words_for(image, "vm.sleeps", "raises.passes"))
    pids = running.told("sleeps")
    running.press("C")
    done = running.finish(20)
    assert done.returncode == 8
    assert done.test("vm.sleeps").status == "INTERRUPTED"
    assert done.test("vm.sleeps").reason.startswith("Test interrupted")
    assert len(done.tests) == 1 and "SKIP 1" in running.text
    assert [command_line(pids[name]) for name in ("supervisor", "body", "qemu")] == ["", "", ""]
    site.no_process_within(2)
    site.runner("reap")
    assert site.leftovers() == []


def test_ctrl_c_twice(site, image, terminal):  # noqa: F811
    """A second one at once, as impatient people press it: the end may be rough, but nothing stays."""
    running = terminal(site, *words_for(image, "vm.sleeps", "raises.passes"))
    pids = running.told("sleeps")
    running.press("C")
    os.write(running.master, b"\x03")
    wait_until("Avocado's end", running.ended, 20)
    for name in ("supervisor", "body", "qemu"):
        wait_until(f"the end of {name}", lambda: command_line(pids[name]) == "", 2)
    site.no_process_within(2)
    site.runner("reap")
    assert site.leftovers() == []
