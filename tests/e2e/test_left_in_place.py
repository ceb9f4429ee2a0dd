# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that outlive their job because the user said so: vt.common.tmp_dir and vt.debug.no_cleanup.

`reap` spares them, `reap --all` takes them down.
"""

import json
import pathlib
import re
import subprocess
import tempfile

import pytest

from jobs import command_line, wait_until


@pytest.fixture
def image(site, tmp_path):
    """A disk without a guest, and parameters by which a machine with it is kept."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(tmp_path / "tiny.qcow2"), "16M"], check=True)
    for path in site.root.glob("*.json"):
        path.unlink()
    yield [f"images_base_dir={tmp_path}", "image_name_image1=tiny", "kill_unresponsive_vms=no"]
    site.runner("reap", "--all")


@pytest.fixture
def home():
    """A directory of the user's; sockets lie below it, so its path is short."""
    with tempfile.TemporaryDirectory(prefix="vt-kept-") as directory:
        yield pathlib.Path(directory)


def run(site, image, settings, *references, **others):
    config = site.root / "kept.conf"
    config.write_text(settings)
    return site.run(*references, leading=["--config", config], params=image, **others)


def told(site, name):
    return json.loads((site.root / f"{name}.json").read_text())


def test_a_machine_kept_in_a_directory_of_the_users(site, image, home):
    """It is found by the next job, replaced by one that wants another, and taken down at the user's word."""
    settings = f"[vt.common]\ntmp_dir = {home}\n"
    keep = [*image, "kill_vm_avocado-vt-vm1=no"]
    first = run(site, keep, settings, "vm.nothing").only
    assert first.status == "PASS", first
    qemu = told(site, "nothing")["qemu"]
    assert re.search(r"VM avocado-vt-vm1 \(pid \d+\) is left in place, also after the job: its sockets are in "
                     + re.escape(str(home)), first.log)
    assert site.qemus() == [qemu]

    done = site.runner("reap")
    assert done.returncode == 0, done.stdout
    assert re.search(rf"kept: process vm-\w+ of VM avocado-vt-vm1 \(pid {qemu}\)", done.stdout), done.stdout
    assert site.qemus() == [qemu]

    second = run(site, keep, settings, "vm.nothing").only
    assert second.status == "PASS" and told(site, "nothing")["qemu"] == qemu
    assert "goes on" in second.log

    third = run(site, keep, settings, "vm.with_more_memory").only
    assert third.status == "PASS" and "has to be restarted" in third.log
    new = told(site, "with_more_memory")["qemu"]
    assert new != qemu and site.qemus() == [new]
    spared = site.runner("reap").stdout
    assert f"(pid {new})" in spared and f"(pid {qemu})" not in spared, spared

    done = site.runner("reap", "--all")
    assert done.returncode == 0 and f"taken down: process" in done.stdout, done.stdout
    wait_until("QEMU's end", lambda: not site.qemus(), 2)
    site.no_process_within(2)
    assert not list(home.glob("avocado-vt-*/vm-*"))
    assert site.runner("reap").stdout.count("kept:") == 0


def test_without_a_machine_to_keep_nothing_outlives_the_job(site, image, home):
    settings = f"[vt.common]\ntmp_dir = {home}\n"
    job = run(site, image, settings, "vm.nothing", "raises.passes")
    assert [test.status for test in job.tests] == ["PASS", "PASS"]
    site.no_process_within(2)
    site.runner("reap")
    assert site.leftovers() == []
    assert (next(home.glob("avocado-vt-*")) / "env.json").exists()


def test_a_directory_that_is_not_there(site, image, tmp_path):
    settings = f"[vt.common]\ntmp_dir = {tmp_path}/missing\n"
    job = run(site, [*image, "kill_vm_avocado-vt-vm1=no"], settings, "vm.nothing")
    assert job.only.status == "PASS"
    assert f"vt.common.tmp_dir {tmp_path}/missing is no directory" in job.only.log
    site.no_process_within(2)


def test_a_directory_with_too_long_a_path(site, image, tmp_path):
    deep = tmp_path / ("d" * 60)
    deep.mkdir()
    job = run(site, image, f"[vt.common]\ntmp_dir = {deep}\n", "vm.nothing")
    assert job.only.status == "ERROR"
    assert re.search(r"vt.common.tmp_dir \S+ is too long for the sockets below it.*at most \d+ bytes", job.only.reason)


def test_no_cleanup_leaves_all_in_place_and_says_where(site, image):
    job = run(site, image, "[vt.debug]\nno_cleanup = True\n", "vm.fails")
    assert job.only.status == "FAIL", job.only
    qemu = told(site, "fails")["qemu"]
    assert site.qemus() == [qemu]
    place = re.search(r"Temporary files are left in (\S+);", job.only.log).group(1)
    assert pathlib.Path(place).is_dir()
    assert re.search(r"VM avocado-vt-vm1 \(pid \d+\) is left in place", job.only.log)
    assert re.search(r"Image image1 is left as it is: \S+/tiny.qcow2", job.only.log)
    spared = site.runner("reap")
    assert spared.returncode == 0 and command_line(qemu) and pathlib.Path(place).is_dir()
    done = site.runner("reap", "--all")
    assert done.returncode == 0, done.stdout
    site.no_process_within(2)
    assert not pathlib.Path(place).exists()
    site.runner("reap", "--all")
    assert site.leftovers() == []
