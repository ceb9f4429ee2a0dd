# SPDX-License-Identifier: GPL-2.0-or-later
"""kill_vm = no: a machine that one test leaves is found by the next one of the job, and gone when the job ends."""

import json
import os
import signal

from jobs import command_line, wait_until

GUEST = ["--vt-guest-os", "JeOS.mini-direct"]


def told(site, name):
    """The pids that a test of vm_does.py left."""
    path = site.root / (name + ".json")
    return json.loads(path.read_text()) if path.exists() else None


def forget(site):
    for path in site.root.glob("*.json"):
        path.unlink()


def test_the_next_test_finds_the_machine(vm_site):
    forget(vm_site)
    job = vm_site.run("keeps_first", "keeps_second", "vm.logs_in", options=GUEST)
    assert [test.status for test in job.tests] == ["PASS"] * 3, job.tests
    first, second, third = (told(vm_site, name) for name in ("keeps_first", "keeps_second", "logs_in"))
    assert first["qemu"] == second["qemu"] == third["qemu"]
    assert len({first["body"], second["body"], third["body"]}) == 3
    for name in ("keeps_first", "keeps_second"):
        assert "is kept for the next test" in job.test(name).log
    assert "left by an earlier test of this job, goes on" in job.test("keeps_second").log
    assert "goes on" in job.test("vm.logs_in").log
    # The last one did not want it kept.
    assert vm_site.no_process_within(2) < 2
    vm_site.runner("reap")
    assert vm_site.leftovers() == []


def test_a_kept_machine_is_gone_when_the_job_ends(vm_site):
    forget(vm_site)
    job = vm_site.run("keeps_first", options=GUEST)
    assert job.only.status == "PASS", job.only
    assert vm_site.no_process_within(2) < 2
    assert command_line(told(vm_site, "keeps_first")["qemu"]) == ""
    vm_site.runner("reap")
    assert vm_site.leftovers() == []


def test_a_kept_machine_is_gone_when_avocado_is_killed(vm_site):
    forget(vm_site)
    avocado = vm_site.start(
        "run", "--vt-type", "qemu", "--max-parallel-tasks", 1, *GUEST, "--", "keeps_first", "keeps_and_sleeps"
    )
    try:
        wait_until("the second test", lambda: told(vm_site, "keeps_and_sleeps"), 60)
        assert told(vm_site, "keeps_first")["qemu"] == told(vm_site, "keeps_and_sleeps")["qemu"]
        os.kill(avocado.pid, signal.SIGKILL)
        avocado.communicate()
        assert vm_site.no_process_within(2) < 2
    finally:
        avocado.kill()
        avocado.communicate()
    vm_site.runner("reap")
    assert vm_site.leftovers() == []


def test_a_failing_test_that_keeps_its_machine(site, tmp_path):
    """The next test of another command line does not get it: it is taken down and started anew."""
    forget(site)
    image = tmp_path / "tiny.qcow2"
    os.system(f"qemu-img create -q -f qcow2 {image} 16M")
    # A machine into which nobody can log in would be ended.
    params = [f"images_base_dir={tmp_path}", "image_name_image1=tiny"]
    params += ["kill_vm_avocado-vt-vm1=no", "kill_unresponsive_vms=no"]
    job = site.run("vm.fails", "vm.nothing", "vm.with_more_memory", params=params)
    assert [test.status for test in job.tests] == ["FAIL", "PASS", "PASS"], job.tests
    assert told(site, "fails")["qemu"] == told(site, "nothing")["qemu"]
    assert told(site, "with_more_memory")["qemu"] != told(site, "nothing")["qemu"]
    assert "has to be restarted" in job.test("with_more_memory").log
    assert site.no_process_within(2) < 2
