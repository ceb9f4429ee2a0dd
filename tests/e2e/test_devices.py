# SPDX-License-Identifier: GPL-2.0-or-later
"""vm.devices in a real guest under real Avocado: what is plugged appears, what is unplugged goes, the model follows."""

import pathlib
import subprocess

import pytest

SUITE = pathlib.Path(__file__).resolve().parent / "python_suite"


@pytest.mark.parametrize("machine", ["i440fx", "q35"])
def test_devices_come_and_go(vm_site, tmp_path, machine):
    job = vm_site.run(
        "uptime",
        options=["--vt-guest-os", "JeOS.mini-direct", "--vt-machine-type", machine],
        params=["type=device_api", f"other_tests_dirs={SUITE}", f"plug_dir={tmp_path}", "smp=1", "vcpu_maxcpus=2",
                "vcpu_sockets=2", "vcpu_cores=1", "vcpu_threads=1", "vcpu_dies=1", "pcie_extra_root_port=3"],
        timeout=300,
    )  # fmt: skip
    test = job.test("uptime")
    assert test.status == "PASS", test.log[-6000:]
    assert "all of it" in test.file("whiteboard").decode()


def test_a_disk_comes_and_goes_in_c_plus_plus(vm_site, tmp_path):
    vm_site.add_provider("machine")
    done = vm_site.avocado("vt-bootstrap", "--vt-type", "qemu", "--vt-skip-verify-download-assets")
    assert done.returncode == 0, done.output
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "stg.qcow2", "4M"], check=True)
    params = [f"image_name_stg={tmp_path}/stg", "image_format_stg=qcow2", "drive_format_stg=virtio"]
    # A guest on a disk, so that the new one is the second.
    job = vm_site.run("devices_native", params=params, timeout=300)
    test = job.test("devices_native")
    assert test.status == "PASS", test.log[-6000:]
    assert "VM avocado-vt-vm1 has no device stg" in test.log
