# SPDX-License-Identifier: GPL-2.0-or-later
"""Logins to the plain Debian whose network comes up late: what test_login.py and login_bench.py share."""

import contextlib
import json
import pathlib
import subprocess
import sys

import debian_image

SUITE = pathlib.Path(__file__).resolve().parent / "python_suite"
MACHINE = ("password=mine", "mem=512", "vga=std", "display=vnc", "kill_vm_gracefully=no", "reboot_command=reboot")


@contextlib.contextmanager
def load(processes):
    """Keeps so many processes busy meanwhile."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def login(site, image, network, seconds, max_startups="", by="runner", reboots=False, timeout=2000):
    """Runs login_times.py on an image of debian_image.plain_debian_image(); returns its figures and the test."""
    disk = site.data / "images/plain-debian.qcow2"
    if not disk.exists():
        disk.parent.mkdir(parents=True, exist_ok=True)
        base = str(image.resolve())
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, str(disk)], check=True)
    extra = " ".join(debian_image.plain_options(network, seconds, max_startups))
    params = [*MACHINE, "image_name=images/plain-debian", "image_snapshot=yes", "type=login_times"]
    params += [f"other_tests_dirs={SUITE}", f"extra_params={extra}", f"login_by={by}"]
    params += ["login_reboots=" + ("yes" if reboots else "no"), f"test_timeout={timeout}"]
    job = site.run("uptime", params=params, timeout=timeout)
    test = job.test("uptime")
    assert test.status == "PASS", (test, test.log[-6000:])
    # The lines before are of the preprocessing.
    return json.loads(test.file("whiteboard").decode().splitlines()[-1]), test
