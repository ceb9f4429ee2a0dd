# SPDX-License-Identifier: GPL-2.0-or-later
"""What a QEMU binary says of itself."""

import json
import re
import subprocess

QEMU_VERSION_RE = re.compile(r"QEMU (?:PC )?emulator version\s([0-9]+\.[0-9]+\.[0-9]+)(?:\s\((.*?)\))?")
DEVICE_CATEGORY_RE = re.compile(r"([A-Z]\S+) devices:")


def _say(bin_path, *options, errors=False):
    done = subprocess.run(
        [bin_path, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )
    return done.stdout.strip() + (done.stderr.strip() if errors else "")


def get_qemu_version(bin_path):
    """(version, version of the package or None); OSError if it does not say."""
    output = _say(bin_path, "-version")
    match = QEMU_VERSION_RE.match(output)
    if match is None:
        raise OSError("%s -version does not tell a version: %r" % (bin_path, output[:200]))
    return match.groups()


def get_machines_info(bin_path):
    """{machine type: what it is}."""
    return dict(re.findall(r"^([a-z]\S+)\s+(.*)$", _say(bin_path, "-machine", "help", errors=True), re.MULTILINE))


def get_supported_machines_list(bin_path):
    """All machine types."""
    return list(get_machines_info(bin_path))


def _devices_by_category(bin_path):
    categories, devices = {}, {}
    for line in _say(bin_path, "-device", "help", errors=True).splitlines():
        heading = DEVICE_CATEGORY_RE.match(line)
        if heading:
            devices = categories.setdefault(heading.group(1), {})
        device = re.match(r'name "(\S+)"(?:, )?(.*)', line)
        if device:
            devices[device.group(1)] = device.group(2)
    return categories


def get_devices_info(bin_path, category=None):
    """{device: what it is}, of one category ("USB", "Network", …) or of all."""
    categories = _devices_by_category(bin_path)
    if category:
        return categories.get(category, {})
    return {name: words for devices in categories.values() for name, words in devices.items()}


def get_supported_devices_list(bin_path, category=None):
    """The devices of one category, or of all."""
    return list(get_devices_info(bin_path, category))


def has_device_category(bin_path, category):
    """True if there are devices of that category."""
    return category in _devices_by_category(bin_path)


def find_supported_devices(bin_path, pattern, category=None):
    """The devices whose names begin with what matches pattern."""
    return [device for device in get_supported_devices_list(bin_path, category) if re.match(pattern, device)]


def get_maxcpus_hard_limit(bin_path, machine_type):
    """How many processors a machine type takes; ValueError if there is no such type."""
    words = "".join(
        json.dumps({"execute": command}) + "\n" for command in ("qmp_capabilities", "query-machines", "quit")
    )
    options = ["-M", "none", "-nodefaults", "-nographic", "-S", "-qmp", "stdio"]
    done = subprocess.run([bin_path, *options], input=words, capture_output=True, text=True, timeout=60, check=False)
    for line in done.stdout.splitlines():
        reply = json.loads(line).get("return")
        for machine in reply if isinstance(reply, list) else []:
            if machine_type in (machine["name"], machine.get("alias")):
                return machine["cpu-max"]
    raise ValueError("%s has no machine type %r" % (bin_path, machine_type))
