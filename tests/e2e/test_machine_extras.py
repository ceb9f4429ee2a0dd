# SPDX-License-Identifier: GPL-2.0-or-later
"""Encrypted disks, TPMs, shared directories, NUMA: as a guest sees them, under real Avocado."""

import pathlib
import shutil

import pytest

SUITE = pathlib.Path(__file__).resolve().parent / "python_suite"

NEEDED = ["swtpm", "swtpm_setup", "qemu-storage-daemon"]


@pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="swtpm or qemu-storage-daemon is not installed")
def test_a_guest_sees_it_all(vm_site, tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    (share / "word").write_text("from the host\n")
    disks = [f"image_name_{name}={tmp_path}/{name}" for name in ("luks", "served")]
    params = [
        "type=machine_extras", f"other_tests_dirs={SUITE}", f"share={share}", "mem=512", "smp=2", "vcpu_sockets=2",
        "vcpu_cores=1", "vcpu_threads=1", "vcpu_dies=1", "images=luks served", *disks, "create_image_luks=yes",
        "create_image_served=yes", "image_size=8M", "remove_image=yes", "check_image=no", "drive_format=virtio",
        "image_format_luks=luks", "image_secret_luks=a key, with a comma", "image_iter_time_luks=10",
        "drive_serial_luks=luks", "image_format_served=qcow2", "enable_nbd_served=yes", "drive_serial_served=served",
        "tpms=tpm0", "tpm_type=emulator", "tpm_model=tpm-crb", "filesystems=fs0", "fs_driver=virtio-fs", "fs_target=shared",
        f"fs_source_dir={share}", "fs_binary_extra_options=-o sandbox=chroot", f"9p_export_dir={share}",
        "mem_devs=n0 n1", "use_mem=no", "size_mem=256M", "backend_mem=memory-backend-memfd", "share_mem=yes",
        "guest_numa_nodes=node0 node1", "numa_memdev_node0=mem-n0", "numa_memdev_node1=mem-n1", "numa_cpus_node0=0",
        "numa_cpus_node1=1", "numa_dist_node0=[[0, 10], [1, 21]]", "numa_dist_node1=[[0, 21], [1, 10]]",
        "serials=serial0 vp0", "serial_type_vp0=virtserialport", "virtio_port_name_prefix_vp0=org.avocado.",
    ]  # fmt: skip
    job = vm_site.run("uptime", options=["--vt-guest-os", "JeOS.mini-direct", "--vt-machine-type", "q35"],
                      params=params, timeout=300)  # fmt: skip
    test = job.test("uptime")
    assert test.status == "PASS", test.log[-6000:]
    assert "all of it" in test.file("whiteboard").decode()
    assert "with a comma" not in test.log.split("Running qemu command")[-1]
