# SPDX-License-Identifier: GPL-2.0-or-later
"""The settings: names and defaults are Avocado-VT's.

Loaded by every avocado command, so it imports what Avocado has loaded anyway and nothing else.
"""

import ast
import os
import sys

from avocado.core.plugin_interfaces import Init
from avocado.core.settings import settings

TYPES = ("qemu", "libvirt", "libguestfs", "openvswitch", "v2v", "lvsb", "spice", "virttools")


class Default(str):
    """A default that can be told from the same text given by a user."""


class DefaultGuest(Default):
    """The guest where nobody names one: an empty text, which `avocado config` shows as the guest that it means."""

    def __str__(self):
        from . import runner  # pylint: disable=C0415

        return runner.default_guest(settings.as_dict())


def pairs(value):
    """Extra parameters: an option's KEY=VALUE; in a file that too, or a Python list of them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            pass  # the binary refuses it, with an explanation
    return list(value) if isinstance(value, (list, tuple)) else [value] if value else []


def flag(value):
    """Yes or no in a file; what is neither (Avocado's own bool would take it for no) is left for the binary to refuse."""
    word = value.strip().lower()
    return True if word in ("yes", "on", "true", "1", "y") else False if word in ("no", "off", "false", "0", "n") else value


def _machine_type():
    machine = os.uname().machine
    if machine in ("x86_64", "i686"):
        return "i440fx"
    return "pseries" if machine.startswith("ppc64") else None


# Of block tests: key, default, type, what it is for.
_IOTESTS = (
    ("format", "raw", str, "Image format of block tests (qemu-iotests): raw, qcow2, luks, …"),
    ("protocol", "file", str, "Protocol of their images: file, nbd, ssh, …"),
    ("image_options", "", str, "Options of their images, as qemu-img -o has them"),
    ("cache_mode", "", str, "Cache mode of their images. Default: writeback"),
    ("aio_mode", "threads", str, "How they do I/O: threads, native, io_uring"),
    ("machine", "", str, "Machine type they use. Default: QEMU's own"),
    ("qemu", "", str, "The QEMU they test. Default: the one found"),
    ("qemu_img", "", str, "The qemu-img they test. Default: the one found"),
    ("qemu_io", "", str, "The qemu-io they test. Default: the one found"),
    ("qemu_nbd", "", str, "The qemu-nbd they test. Default: the one found"),
    ("storage_daemon", "", str, "The qemu-storage-daemon they test. Default: the one found"),
    ("gdb", False, flag, "Run their QEMU below gdbserver ($GDB_OPTIONS)"),
    ("valgrind", False, flag, "Run their QEMU below valgrind"),
    ("print", False, flag, "Let QEMU's output be part of theirs"),
    ("debug", False, flag, "Run them with -d"),
    ("module", "ours", str, "The iotests module they import: ours, theirs (that of their folder)"),
    ("api", "", str, "What its functions return: 6.1, 7.2. Default: as each uses them"),
    ("timeout", "900", str, "Seconds that one may take"),
)
IOTESTS_DEFAULTS = {key: default for key, default, _, _ in _IOTESTS}

# Section, key, default, type, what it is for. Settings with an option that is a flag have to be bool.
_SETTINGS = (
    ("vt", "type", Default(TYPES[0]), str, f"Type of the tests: {', '.join(TYPES)}. Default: {TYPES[0]}"),
    ("vt", "config", None, str, "Cartesian config to use in place of the data directory's test set"),
    ("vt", "save_config", None, str, "Write what was selected to this file, as a config for --vt-config"),
    ("vt", "short_names_when_config", False, bool, "With a config of your own: name tests by their short names"),
    ("vt", "guest_os", DefaultGuest(), str, "Guest to use, an only-filter. Default: the data directory's default guest"),
    ("vt", "only_filter", "", str, "Only tests that match each of these filters, separated by blanks"),
    ("vt", "no_filter", "", str, "No tests that match one of these filters, separated by blanks"),
    ("vt", "extra_params", [], pairs, "KEY=VALUE to set in the parameters of all tests; may be given several times"),
    ("vt", "list_guests", False, bool, "List the guests, and whether their images are there, instead of tests"),
    (
        "vt",
        "list_archs",
        False,
        bool,
        "List architectures and machine types of the guest (--vt-guest-os '': of all guests) instead of tests",
    ),
    ("vt", "omit_data_loss", False, bool, "Let no test fail because a descriptor was already closed when it was cleaned up"),
    ("vt.list", "limit", 1_000_000, int, "The tests that a list may have; a config that makes more is refused"),
    (
        "vt.filter",
        "default_filters",
        None,
        str,
        "Leave out default filters: no_9p_export, no_virtio_rng, no_pci_assignable, smallpages, default_bios, bridge, "
        "image_backend, multihost; separated by blanks or commas",
    ),
    ("vt.setup", "backup_image_before_test", True, flag, "Back up images before a test, where there is no backup"),
    ("vt.setup", "restore_image_after_test", True, flag, "Restore images after a test, where there is a backup"),
    ("vt.setup", "keep_guest_running", False, flag, "Keep the guest running between tests: faster, but unsafe"),
    ("vt.common", "data_dir", "", str, "The data directory. Default: avocado-vt below Avocado's own"),
    ("vt.common", "tmp_dir", "", str, "Directory for what outlives a test and a job (environment, sockets, locks)"),
    (
        "vt.common",
        "allow_outside",
        False,
        flag,
        "Let tests make, back up, restore and remove images whose image_name leads out of the data directory by '..'",
    ),
    (
        "vt.common",
        "log_limit",
        "64",
        str,
        "MiB that each log of a test may have: its first and last part are kept. 0: no limit",
    ),
    ("vt.common", "type_specific_only", False, flag, "Only tests written for the type: leave out those that all types share"),
    ("vt.common", "mem", None, str, "Memory of the virtual machine in MiB. Default: the test's and guest's own"),
    ("vt.common", "arch", None, str, "Architecture of the virtual machine, an only-filter"),
    ("vt.common", "machine_type", _machine_type(), str, "Machine type of the virtual machine, an only-filter"),
    ("vt.common", "nettype", "", str, "Networking: bridge, user, none. Default: bridge if usable, else user"),
    ("vt.common", "netdst", "virbr0", str, "The bridge for nettype bridge"),
    ("vt.qemu", "qemu_bin", None, str, "QEMU to test. Default: the one found"),
    ("vt.qemu", "qemu_dst_bin", None, str, "QEMU for the destination of migrations. Default: the one found"),
    ("vt.qemu", "accel", "kvm", str, "Accelerator: kvm, tcg"),
    ("vt.qemu", "vhost", "off", str, "vhost for network cards on a bridge: off, on, force"),
    ("vt.qemu", "monitor", "", str, "Monitor: qmp, human. Default: the test's own"),
    ("vt.qemu", "smp", "2", str, "Number of virtual processors"),
    ("vt.qemu", "image_type", "qcow2", str, "Format of the disk images"),
    ("vt.qemu", "nic_model", "virtio_net", str, "Model of the network cards"),
    (
        "vt.qemu",
        "disk_bus",
        "virtio_blk",
        str,
        "Bus of the disks: virtio_blk, ide, scsi, virtio_scsi, lsi_scsi, ahci, usb2, xenblk",
    ),
    ("vt.qemu", "sandbox", "on", str, "QEMU's sandbox: on, off"),
    ("vt.qemu", "defconfig", "yes", str, "Let QEMU read its own configuration files: yes, no"),
    ("vt.qemu", "malloc_perturb", "yes", str, "Let QEMU fill freed memory with garbage: yes, no"),
    ("vt.libvirt", "connect_uri", None, str, "URI of the hypervisor, such as qemu:///system"),
    (
        "vt.harness",
        "prefer",
        "own",
        str,
        "Whose flumotion and testplan a test gets that imports them: own, installed (where there is one)",
    ),
    ("vt.debug", "no_cleanup", False, flag, "Leave temporary files and machines in place after a test"),
    ("plugins.vtjoblock", "dir", "/tmp", str, "Directory of the job locks, which must be writable"),
)


class VTInit(Init):
    """Registers the settings."""

    name = "vt-init"
    description = "Settings of virtual machine tests"

    def initialize(self):
        # Test code runs in this interpreter's environment, wherever the runner's PATH leads.
        os.environ["AVOCADO_VT_PYTHON"] = sys.executable
        iotests = [("vt.iotests", *rest) for rest in _IOTESTS]
        for section, key, default, key_type, help_msg in [*_SETTINGS, *iotests]:
            settings.register_option(section, key, default, help_msg, key_type=key_type)
