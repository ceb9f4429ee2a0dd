# SPDX-License-Identifier: GPL-2.0-or-later
"""The built guest in real virtual machines, and a Debian that a user brings along.

The guest is looked for in the directory of the variable VT_GUEST_IMAGES (a data directory's images/), else built into
BUILD/e2e by BUILD/tests/guest_image_builder, BUILD being VT_BUILD or build/release. Everything runs under TCG; the
limits on times are generous, for hosts where other tests run beside these: figures are measured by tests/bench.
"""

import json
import os
import pathlib
import subprocess

import pytest

import debian_image
from guest_vm import GuestVm

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", SOURCE / "build" / "release"))
PROMPT = rb"\[root@localhost ~\]# "
BOOT_TIMEOUT = 120

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def images():
    given = os.environ.get("VT_GUEST_IMAGES")
    if given:
        return pathlib.Path(given)
    builder = BUILD / "tests" / "guest_image_builder"
    if not builder.exists():
        pytest.skip(f"{builder} is not built")
    data_dir = BUILD / "e2e" / "data"
    subprocess.run([builder, SOURCE / "cfg/share/guest-image", data_dir, BUILD / "e2e" / "cache"], check=True)
    return data_dir / "images"


@pytest.fixture
def guest(images):
    """Starts the built guest: guest(direct=True, machine="pc", …)."""
    started = []

    def start(direct=False, **options):
        kernel = None
        if direct:
            boot = images / "jeos-mini"
            record = json.loads((boot / "recipe.json").read_text())
            kernel = (str(boot / "vmlinux"), str(boot / "initrd"), record["kernel_arguments"])
        vm = GuestVm(images / "jeos-mini-x86_64.qcow2", "123456", kernel=kernel, **options)
        started.append(vm)
        return vm

    yield start
    for vm in started:
        vm.__exit__()


@pytest.mark.parametrize("direct", [True, False], ids=["kernel", "disk"])
@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_boots_and_powers_down(guest, machine, direct):
    vm = guest(machine=machine, direct=direct)
    vm.wait_for_ssh(BOOT_TIMEOUT)
    assert "load average" in vm.ssh("uptime")
    assert vm.power_down(30) < 15
    subprocess.run(["qemu-img", "check", "-q", str(vm.overlay)], check=True)


@pytest.mark.parametrize("device", [
    "ide-hd,drive=disk",
    "virtio-scsi-pci scsi-hd,drive=disk",
    "nvme,drive=disk,serial=1",
    "qemu-xhci usb-storage,drive=disk",
])
def test_boots_from_any_bus(guest, device):
    vm = guest(disk_device=device)
    vm.wait_for_ssh(BOOT_TIMEOUT)
    vm.power_down(30)


@pytest.mark.parametrize("nic", ["e1000", "e1000e", "rtl8139", "vmxnet3", "ne2k_pci", "pcnet"])
def test_gets_an_address_on_any_card(guest, nic):
    vm = guest(machine="pc", direct=True, nic=nic)
    vm.wait_for_ssh(BOOT_TIMEOUT)


def test_serial_console(guest):
    vm = guest(direct=True)
    vm.expect(rb"login: ", BOOT_TIMEOUT)
    vm.serial("root\n", rb"Password: ")
    vm.serial("123456\n", PROMPT)
    long_command = "echo " + "x" * 150
    text = vm.serial(long_command + "\n", PROMPT)
    assert text.splitlines()[:2] == [long_command, "x" * 150]


def test_wrong_password_is_refused(guest):
    vm = guest(direct=True)
    vm.wait_for_ssh(BOOT_TIMEOUT)
    (vm.dir / "password").write_text("wrong\n")
    with pytest.raises(AssertionError, match="Permission denied"):
        vm.ssh("true")


def test_files_get_in_and_survive_a_reboot(guest, tmp_path):
    vm = guest(direct=True)
    vm.wait_for_ssh(BOOT_TIMEOUT)
    source = tmp_path / "file"
    source.write_bytes(os.urandom(1 << 20))
    vm.copy_to(source, "/root/sftp")
    vm.copy_to(source, "/root/scp", legacy=True)
    sums = vm.ssh("cd /root && sha256sum sftp scp")
    assert len({line.split()[0] for line in sums.splitlines()}) == 1
    before = vm.ssh("cat /proc/sys/kernel/random/boot_id")
    since = len(vm.serial_text)
    vm.ssh("reboot")
    vm.expect(rb"login: ", BOOT_TIMEOUT, vm.expect(rb"Linux version", BOOT_TIMEOUT, since))
    vm.wait_for_ssh(BOOT_TIMEOUT)
    assert vm.ssh("cat /proc/sys/kernel/random/boot_id") != before
    assert vm.ssh("cd /root && sha256sum sftp scp") == sums
    vm.ssh("shutdown -h now")
    assert vm.process.wait(30) == 0


def test_hot_plug(guest):
    vm = guest(machine="pc", direct=True)
    vm.wait_for_ssh(BOOT_TIMEOUT)
    vm.qmp("blockdev-add", **{"driver": "null-co", "node-name": "plugged", "size": 1 << 20, "read-zeroes": True})
    vm.qmp("device_add", driver="virtio-blk-pci", drive="plugged", id="plugged-disk", serial="PLUGGED")
    vm.ssh("while ! [ -e /dev/disk/by-id/virtio-PLUGGED ]; do sleep 0.1; done")
    vm.qmp("netdev_add", type="user", id="second", net="10.9.0.0/24")
    vm.qmp("device_add", driver="virtio-net-pci", netdev="second", id="plugged-nic")
    vm.ssh("while ! ip -4 addr | grep -q 10.9.0; do sleep 0.1; done")
    vm.qmp("balloon", value=300 << 20)
    vm.ssh("while [ $(sed -n 's/MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo) -gt 290000 ]; do sleep 0.1; done")


@pytest.mark.soak
def test_a_users_own_debian(tmp_path):
    missing = debian_image.missing_tools()
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    disk = debian_image.debian_image(BUILD / "e2e" / "cache")
    with GuestVm(disk, debian_image.PASSWORD, memory=1024) as vm:
        vm.wait_for_ssh(300)
        assert "Debian" in vm.ssh("cat /etc/os-release")
        vm.power_down(120)
    assert disk.exists()
