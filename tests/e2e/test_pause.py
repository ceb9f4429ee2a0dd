# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl+Z pauses a test with its machines alive, and another one lets it go on.

First the supervisor alone, then whole jobs on a terminal of their own, as a person has them.
"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from conftest import check_stream
from jobs import command_line, wait_until
from terminal import terminal  # noqa: F401 (a fixture)

GUEST = ["--vt-guest-os", "JeOS.mini-direct"]


def state(pid):
    """A process's state: T is stopped. Empty once it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def children(pid):
    """The children of all threads of a process."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [int(word) for word in (task / "children").read_text().split()]
    return found


def body_of(supervisor):
    return wait_until("the body", lambda: [c for c in children(supervisor) if os.getpgid(c) == c and name(c) == "vt-test"])[0]


def name(pid):
    return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def text_of(server):
    return server.text("log").decode()


def wait_for_log(server, words):
    wait_until(words, lambda: words in text_of(server), 20)


# --- the supervisor ---------------------------------------------------------------------------------------------------


def test_the_body_is_stopped_with_its_children_and_its_time_waits(start_task, status_server):
    """Limit and deadline are shorter than the pause."""
    server = status_server()
    task = start_task(server, ways_in="ssh root@nowhere", child="yes", limit="3", deadline="1.5")
    wait_for_log(server, "waiting until the deadline")
    body = body_of(task.pid)
    child = children(body)[0]
    task.send_signal(signal.SIGTSTP)
    wait_until("the body's stop", lambda: state(body) == "T" and state(child) == "T")
    wait_for_log(server, "Test 1-test is paused. Its machines run on.")
    assert "ssh root@nowhere" in text_of(server)
    assert f"kill -CONT {task.pid}" in text_of(server)
    time.sleep(3.5)  # what is measured is that time passes
    assert state(body) == "T"
    assert "the deadline has passed" not in text_of(server)
    task.send_signal(signal.SIGCONT)
    server.wait(20)
    assert check_stream(server.messages)["result"] == "pass"
    assert re.search(r"goes on after a pause of [3-9]\.\d s", text_of(server))
    assert "the deadline has passed" in text_of(server)
    assert "took things back" in text_of(server)
    assert task.wait(10) == 0


def test_a_second_sigtstp_lets_it_go_on(start_task, status_server):
    server = status_server()
    task = start_task(server, deadline="1.5")
    wait_for_log(server, "waiting until the deadline")
    task.send_signal(signal.SIGTSTP)
    wait_for_log(server, "Test 1-test is paused. It has no machine that runs.")
    time.sleep(1.5)  # what comes at once is a key that is held down
    task.send_signal(signal.SIGTSTP)
    server.wait(20)
    assert check_stream(server.messages)["result"] == "pass"
    assert text_of(server).count("is paused") == 1


def test_a_key_that_is_held_down_pauses_once(start_task, status_server):
    server = status_server()
    task = start_task(server, deadline="1")
    wait_for_log(server, "waiting until the deadline")
    body = body_of(task.pid)
    for _ in range(5):
        task.send_signal(signal.SIGTSTP)
    wait_until("the body's stop", lambda: state(body) == "T")
    wait_for_log(server, "is paused")
    assert "goes on" not in text_of(server)
    task.send_signal(signal.SIGCONT)
    server.wait(20)
    assert text_of(server).count("is paused") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_during_a_pause(start_task, status_server, number):
    server = status_server()
    task = start_task(server, on_stop="0.05", deadline="100")
    wait_for_log(server, "waiting until the deadline")
    task.send_signal(signal.SIGTSTP)
    wait_for_log(server, "is paused")
    asked = time.monotonic()
    task.send_signal(number)
    server.wait(5)
    assert server.arrivals[-1] - asked < 1
    assert check_stream(server.messages)["result"] == "interrupted"
    # The body goes on first, so that it hears of its end; how far it gets with it is for its grace to say.
    assert "stopping: Test interrupted" in text_of(server)
    assert task.wait(5) == 0


def test_a_body_that_is_killed_during_a_pause(start_task, status_server):
    server = status_server()
    task = start_task(server, deadline="100")
    wait_for_log(server, "waiting until the deadline")
    task.send_signal(signal.SIGTSTP)
    wait_for_log(server, "is paused")
    os.kill(body_of(task.pid), signal.SIGKILL)
    server.wait(5)
    assert "killed by SIGKILL" in check_stream(server.messages)["fail_reason"]


def test_signals_after_the_end_change_nothing(start_task, status_server):
    """SIGCONT without a pause, and a pause when the result is there already."""
    server = status_server()
    task = start_task(server, deadline="0.5")
    task.send_signal(signal.SIGCONT)
    server.wait(10)
    task.send_signal(signal.SIGTSTP)
    assert task.wait(10) == 0
    assert check_stream(server.messages)["result"] == "pass"


# --- on a terminal ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def image(site):
    path = site.data / "images/paused.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    return ["--vt-extra-params", "image_name_image1=images/paused"]


def words_for(parallel, *options):
    return ["run", "--vt-type", "qemu", "--max-parallel-tasks", parallel, *options]


def ask(path, sent, wanted):
    """Talks to whoever serves a Unix socket, as socat would."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(30)
        peer.connect(path)
        peer.sendall(sent)
        seen = b""
        while wanted not in seen:
            seen += peer.recv(4096)
        return seen


def test_a_person_gets_into_the_machine_of_a_paused_test(vm_site, terminal):
    """Network, serial console and a monitor, as the terminal shows them; then the test goes on and passes."""
    job = terminal(
        vm_site, *words_for(1, *GUEST, "--vt-extra-params", "test_timeout=60"), "--", "vm.logs_in_twice"
    )
    pids = job.told("logs_in_twice", 120)
    job.press("Z")
    job.shows("Ctrl+C ends it")
    wait_until("the body's stop", lambda: state(pids["body"]) == "T")
    assert state(pids["qemu"]) != "T"
    port = int(re.search(r"ssh -p (\d+) .*root@127.0.0.1", job.text).group(1))
    with socket.create_connection(("127.0.0.1", port), 30) as shell:
        shell.settimeout(60)
        assert shell.recv(4) == b"SSH-"
    serial = re.search(r"serial console:.*UNIX-CONNECT:(\S+)", job.text).group(1)
    ask(serial, b"\r\n", b"login: ")
    monitor = re.search(r"monitor catch_monitor \(QMP\):.*UNIX-CONNECT:(\S+)", job.text).group(1)
    assert b"running" in ask(
        monitor, b'{"execute": "qmp_capabilities"} {"execute": "query-status"}\n', b'"status"'
    )
    job.lets_go()
    job.press("Z")
    job.shows("goes on after a pause of")
    done = job.finish(120)
    test = done.only
    assert test.status == "PASS", (test, job.text)
    assert "Its machines run on" in test.log
    assert "goes on after a pause of" in test.log
    # The console was ours again: the test logged in by it after the pause.
    assert "(the console was left to others while the test was paused)" in test.file(
        "serial-serial0-avocado-vt-vm1.log"
    ).decode()
    vm_site.no_process_within(2)


def test_all_running_tests_pause(site, image, terminal):
    job = terminal(
        site, *words_for(2, *image), "--vt-extra-params", "image_snapshot=yes", "--", "vm.waits_a", "vm.waits_b"
    )
    both = [job.told("waits_a"), job.told("waits_b")]
    job.press("Z")
    job.shows("is paused", 2)
    # On a busy host a process takes its signal some time after it was sent.
    wait_until("both bodies' stop", lambda: [state(pids["body"]) for pids in both] == ["T", "T"])
    assert all(state(pids["qemu"]) in "SR" for pids in both)
    job.lets_go()
    job.press("Z")
    job.shows("goes on after a pause of", 2)
    done = job.finish()
    assert [test.status for test in done.tests] == ["PASS", "PASS"], done.tests


def test_ctrl_c_ends_a_paused_test(site, image, terminal):
    job = terminal(site, *words_for(1, *image), "--", "vm.sleeps", "raises.passes")
    pids = job.told("sleeps")
    job.press("Z")
    job.shows("is paused")
    job.press("C")
    done = job.finish(20)
    assert done.returncode == 8
    assert done.test("vm.sleeps").status == "INTERRUPTED"
    assert command_line(pids["qemu"]) == "" and command_line(pids["body"]) == ""
    site.no_process_within(2)


def test_json_on_standard_output_stays_json(site, image, terminal, tmp_path):
    """The words of a pause go to the terminal, whatever standard output is."""
    out = tmp_path / "out.json"
    job = terminal(site, *words_for(1, *image, "--json", "-"), "--", "vm.waits_a", stdout=out)
    job.told("waits_a")
    job.press("Z")
    job.shows("is paused")
    job.lets_go()
    job.press("Z")
    assert job.finish().only.status == "PASS"
    assert [test["status"] for test in json.loads(out.read_text())["tests"]] == ["PASS"]
