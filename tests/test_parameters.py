# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/parameters.md against the code: what is read has a row, and every parameter of Avocado-VT's reference has one."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent

# The parameters of the "Cartesian Config Reference" in Avocado-VT's documentation.
REFERENCE = """
bridge cdroms cd_format check_image convert_ppm_files_to_png create_image display drive_cache drive_format drive_index
drive_werror drive_serial file_transfer_client file_transfer_port force_create_image guest_port guest_port_remote_shell
guest_port_file_transfer guest_port_unattended_install images images_good image_format image_name image_raw_device
image_size keep_ppm_files keep_screendumps kill_unresponsive_vms kill_vm kill_vm_gracefully kill_vm_timeout login_timeout
main_monitor main_vm mem migration_mode monitors monitor_type nic_mode nics pre_command pre_command_timeout
pre_command_noncritical profilers post_command post_command_timeout post_command_noncritical qemu_binary qemu_img_binary
qxl_dev_nr qxl redirs remove_image spice
""".split()

# Where a machine's parameters become one; every literal key there is a parameter.
READERS = ["runner/vm/qemu/build/machine_spec.cpp", "runner/vm/qemu/build/device_specs.cpp",
           "runner/vm/qemu/build/extra_specs.cpp", "runner/vm/qemu/build/build_memory.cpp",
           "runner/vm/qemu/build/build_numa.cpp", "runner/storage/image_access.cpp", "runner/storage/image.cpp",
           *(f"runner/env/{name}.cpp" for name in ("images_setup", "image_work", "demands_setup", "commands_setup",
                                                   "vms_setup", "lifecycle")),
           *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "runner/env/setup").glob("*_setup*.cpp"))
             if not path.stem.endswith("_test"))]

KEY = re.compile(r'\b(?:get|at|get_boolean|get_numeric|get_double|objects|contains)\(\s*"([A-Za-z0-9_-]+)"'
                 r'|\b(?:yes|positive|optional_number|level|required|data_file)\((?:[a-z_]+, )?"([A-Za-z0-9_-]+)"'
                 r'|[{ ]\{?"((?:iommu|virtio_dev|chardev|qemu_sandbox|image|vcpu)_[a-z0-9_]+)", "')

# Not parameters: members of JSON values and parts of names, which are read alike.
OTHERS = {"path", "host", "port", "type", "redirs_", "restore_", "format", "virtual-size", "actual-size",
          "full-backing-filename", "backend_mem", "file", "url", "portal", "server", "name"}


def documented():
    """All names in the first column of the tables."""
    names = set()
    for line in (ROOT / "docs/parameters.md").read_text().splitlines():
        if line.startswith("| `"):
            names.update(re.findall(r"`([^`]+)`", line.split(" | ")[0]))
    return names


def read_by_code():
    keys = {}
    for reader in READERS:
        text = (ROOT / reader).read_text()
        for match in KEY.finditer(text):
            keys.setdefault(next(filter(None, match.groups())), reader)
    return keys


def test_every_parameter_of_the_reference_has_a_row():
    assert sorted(set(REFERENCE) - documented()) == []


def test_every_parameter_that_is_read_has_a_row():
    missing = {key: where for key, where in read_by_code().items() if key not in documented() | OTHERS}
    assert missing == {}


def test_every_row_is_of_something_that_is_read():
    """But for rows that say so themselves."""
    sources = "".join(path.read_text() for folder in ("runner", "cfg", "resolver", "providers")
                      for path in (ROOT / folder).rglob("*") if path.suffix in (".cpp", ".hpp", ".py"))
    words = set(re.findall(r"[A-Za-z0-9_-]+", sources)) | {word + ending for word in ("pre_command", "post_command")
                                                           for ending in ("_timeout", "_noncritical")}
    unread = documented() - words
    rows = (ROOT / "docs/parameters.md").read_text().splitlines()
    for name in unread:
        row = next(line for line in rows if line.startswith("| `") and f"`{name}`" in line.split(" | ")[0])
        assert "not read" in row or name.startswith("guest_port_"), f"{name} is documented and nobody reads it"
