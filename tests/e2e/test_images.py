# SPDX-License-Identifier: GPL-2.0-or-later
"""Images are the users': what is theirs is there afterwards, with its content or changed, as the parameters say."""

import hashlib
import subprocess

import debian_image
import pytest
from jobs import BUILD

KEEP_CHANGES = "[vt.setup]\nbackup_image_before_test = False\nrestore_image_after_test = False\n"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def image(site):
    """A user's image, not made by the runner."""
    path = site.data / "images/mine.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "16M"], check=True)
    yield path
    for file in path.parent.glob("mine.*"):
        file.unlink()


def run(site, *references, params=(), **options):
    return site.run(*references, params=["image_name_image1=images/mine", *params], **options)


@pytest.mark.parametrize("test, status", [("vm.writes", "PASS"), ("vm.writes_and_fails", "FAIL")])
def test_a_changed_image_is_restored(site, image, test, status):
    before = digest(image)
    job = run(site, test)
    assert job.only.status == status, job.only
    assert "wrote to" in job.only.log
    assert digest(image) == before
    assert digest(image.with_name("mine.qcow2.backup")) == before


def test_changes_stay_without_backup(site, image, tmp_path):
    config = tmp_path / "keep.conf"
    config.write_text(KEEP_CHANGES)
    before = digest(image)
    done = site.avocado(
        "--config", config, "run", "--vt-type", "qemu", "--vt-extra-params", "image_name_image1=images/mine",
        "--", "vm.writes",
    )
    assert done.returncode == 0, done.output
    assert digest(image) != before
    assert not image.with_name("mine.qcow2.backup").exists()
    # What one test wrote is there for the next.
    read = subprocess.run(["qemu-io", "-r", "-c", "read -P 7 1M 64k", str(image)], capture_output=True, check=True)
    assert b"Pattern verification failed" not in read.stdout


def test_an_old_backup_is_the_truth(site, image):
    """Upstream's rule: a backup that is there is never replaced before a test, and restored after it."""
    old = image.with_name("mine.qcow2.backup")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(old), "20M"], check=True)
    before = digest(old)
    assert run(site, "vm.writes").only.status == "PASS"
    assert digest(old) == before == digest(image)


def test_an_image_damaged_by_the_test_is_an_error_and_restored(site, image):
    before = digest(image)
    job = run(site, "vm.damages_image")
    assert job.only.status == "ERROR"
    assert "image1" in job.only.reason and len(job.only.reason) < 1100, job.only.reason
    assert digest(image) == before


def test_a_made_image_goes_and_the_users_stays(site, image):
    params = ["images=image1 stg", "image_name_stg=images/mine.stg", "create_image_stg=yes", "image_size_stg=8M"]
    made = image.with_name("mine.stg.qcow2")
    job = run(site, "vm.nothing", params=params)
    assert job.only.status == "PASS", job.only
    assert "Created image" in job.only.log
    assert not made.exists() and image.exists()
    job = run(site, "vm.nothing", params=[*params, "remove_image_stg=no"])
    assert job.only.status == "PASS", job.only
    assert made.exists() and image.exists()


def test_remove_image_says_so_explicitly(site, image):
    assert run(site, "vm.nothing").only.status == "PASS"
    assert image.exists()
    assert run(site, "vm.nothing", params=["remove_image_image1=yes"]).only.status == "PASS"
    assert not image.exists()


def test_parallel_tests_share_the_image(site, image):
    """Each gets a throw-away overlay, since the image would be restored anyway; they do run at once."""
    before = digest(image)
    job = run(site, "vm.stays", "vm.with_more_memory", "vm.nothing", params=["seconds=4"], parallel=3)
    assert [test.status for test in job.tests] == ["PASS"] * 3, job.tests
    assert all("overlay" in test.log for test in job.tests)
    assert digest(image) == before
    assert site.no_process_within(2) < 2
    site.runner("reap")
    assert site.leftovers() == []


def test_the_machine_and_its_evidence_after_a_failure(site, image):
    job = run(site, "vm.fails")
    test = job.only
    assert test.status == "FAIL"
    assert (test.logdir / "screendump-avocado-vt-vm1.png").read_bytes().startswith(b"\x89PNG")
    assert (test.logdir / "serial-serial0-avocado-vt-vm1.log").exists()
    assert (test.logdir / "qemu-avocado-vt-vm1.log").exists()


@pytest.mark.parametrize("test", ["session_loses_qemu", "panics"])
def test_a_lost_guest_is_noticed_at_once(vm_site, test):
    job = vm_site.run("vm." + test, options=["--vt-guest-os", "JeOS.mini-direct"])
    assert job.only.status == "ERROR"
    fates = {"session_loses_qemu": "was killed by SIGKILL", "panics": "Kernel panic - not syncing: sysrq triggered"}
    assert fates[test] in job.only.reason, job.only.reason
    assert job.only.time < 30  # the commands' own time-outs are longer
    if test == "panics":
        assert b"sysrq triggered crash" in job.only.file("serial-serial0-avocado-vt-vm1.log")
        assert (job.only.logdir / "screendump-avocado-vt-vm1.png").exists()


def test_a_users_own_guest_of_four_lines(site):
    """Debian, made by mmdebstrap: defined by a file in the data directory, run, and still there afterwards."""
    missing = debian_image.missing_tools()
    if missing:
        pytest.skip("no Debian image without " + ", ".join(missing))
    base = debian_image.debian_image(BUILD / "e2e" / "cache")
    image = site.data / "images/my-debian.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(base), str(image)], check=True)
    before = digest(image)
    definition = site.data / "guest-os/Linux/LinuxCustom/mine.cfg"
    definition.parent.mkdir(parents=True, exist_ok=True)
    definition.write_text(
        f"- Mine:\n    image_name = images/my-debian\n    password = {debian_image.PASSWORD}\n    mem = 1024\n"
    )
    bootstrap = ["vt-bootstrap", "--vt-type", "qemu", "--vt-skip-verify-download-assets"]
    assert site.avocado(*bootstrap).returncode == 0
    listed = site.avocado("vt-list-guests", "--vt-type", "qemu", "--guest-os", "LinuxCustom")
    assert "Linux.LinuxCustom.Mine" in listed.stdout, listed.output
    job = site.run("uptime", options=["--vt-guest-os", "LinuxCustom.Mine"], timeout=400)
    assert job.only.status == "PASS", job.only
    assert "load average" in job.only.log
    assert digest(image) == before
