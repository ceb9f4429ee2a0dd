# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM side of the Python API, in a real guest under real Avocado; and the same guest from C++."""

import pathlib

SUITE = pathlib.Path(__file__).resolve().parent / "python_suite"


def test_everything_that_tests_do_with_a_vm(vm_site):
    job = vm_site.run("uptime", params=["type=vm_api", f"other_tests_dirs={SUITE}"], timeout=400)
    test = job.test("uptime")
    assert test.status == "PASS", test.log[-5000:]
    assert "all of it" in test.file("whiteboard").decode()


def test_uptime_in_python_and_in_c_plus_plus(vm_site):
    job = vm_site.run("uptime", "uptime_native")
    for name in ("uptime", "uptime_native"):
        test = job.test("." + name)
        assert test.status == "PASS", test
        assert "Guest uptime result is:" in test.log and "load average" in test.log
