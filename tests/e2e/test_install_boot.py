# SPDX-License-Identifier: GPL-2.0-or-later
"""Install, boot, failed install, boot: each test finds on the disk what those before it should have left there.

Images are made, backed up, restored and removed by Avocado-VT's rules, with Avocado-VT's default settings.
"""

import pytest


@pytest.fixture
def disk(site):
    """The path of the disk of these tests; there is nothing there yet."""
    path = site.data / "images/system.qcow2"
    yield path
    for file in path.parent.glob("system.*"):
        file.unlink()


def run(site, *references, **options):
    return site.run(*references, params=["image_name_image1=images/system"], **options)


def test_a_boot_finds_what_the_last_good_install_left(site, disk):
    job = run(site, "installs.well", "boots.first", "installs.badly", "boots.first", "boots.first")
    assert [test.status for test in job.tests] == ["PASS", "PASS", "FAIL", "PASS", "PASS"], job.tests
    assert "Created image" in job.tests[0].log and "Created image" in job.tests[2].log
    # The first boot made the backup, and everybody since has had it back.
    assert disk.exists() and disk.with_name("system.qcow2.backup").exists()


def test_a_boot_without_an_install(site, disk):
    job = run(site, "boots.first")
    assert job.only.status == "FAIL", job.only
    assert not disk.exists()


def test_an_install_that_failed_before_anything_was_there(site, disk):
    """There is nothing to go back to: what it left stays, as with Avocado-VT."""
    job = run(site, "installs.badly", "boots.first")
    assert [test.status for test in job.tests] == ["FAIL", "FAIL"], job.tests
    assert disk.exists()


def test_a_new_install_that_is_to_be_the_backup(site, disk):
    job = run(site, "installs.well", "boots.first", "installs.anew", "boots.new", "installs.badly", "boots.new")
    assert [test.status for test in job.tests] == ["PASS", "PASS", "PASS", "PASS", "FAIL", "PASS"], job.tests


def test_a_guest_finds_what_a_guest_installed(vm_site):
    """The same with a guest that writes and reads the disk."""
    options = ["--vt-guest-os", "JeOS.mini-direct"]
    job = vm_site.run("guest_installs.well", "guest_boots", "guest_installs.badly", "guest_boots", options=options)
    assert [test.status for test in job.tests] == ["PASS", "PASS", "FAIL", "PASS"], job.tests
    for file in (vm_site.data / "images").glob("installed.*"):
        file.unlink()
