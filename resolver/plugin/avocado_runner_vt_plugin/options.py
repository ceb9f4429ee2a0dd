# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of `run` and `list`, each with its setting."""

import os

from avocado.core.plugin_interfaces import CLI
from avocado.core.settings import settings

# Setting, option, further arguments.
_OPTIONS = (
    ("vt.type", "--vt-type", {"metavar": "TYPE"}),
    ("vt.guest_os", "--vt-guest-os", {"metavar": "GUEST"}),
    ("vt.config", "--vt-config", {"metavar": "FILE"}),
    ("vt.save_config", "--vt-save-config", {"metavar": "FILE"}),
    ("vt.short_names_when_config", "--vt-short-names-when-config", {}),
    ("vt.only_filter", "--vt-only-filter", {"metavar": "FILTERS"}),
    ("vt.no_filter", "--vt-no-filter", {"metavar": "FILTERS"}),
    # One word each, lest it swallow the references that follow.
    ("vt.filter.default_filters", "--vt-filter-default-filters", {"metavar": "FILTERS", "action": "append"}),
    ("vt.extra_params", "--vt-extra-params", {"metavar": "KEY=VALUE", "action": "append"}),
    ("vt.common.arch", "--vt-arch", {"metavar": "ARCH"}),
    ("vt.common.machine_type", "--vt-machine-type", {"metavar": "MACHINE"}),
    ("vt.qemu.qemu_bin", "--vt-qemu-bin", {"metavar": "FILE"}),
    ("vt.qemu.qemu_dst_bin", "--vt-qemu-dst-bin", {"metavar": "FILE"}),
    ("vt.libvirt.connect_uri", "--vt-connect-uri", {"metavar": "URI"}),
    ("vt.omit_data_loss", "--vt-omit-data-loss", {}),
    ("vt.iotests.format", "--iotests-format", {"metavar": "FORMAT"}),
    ("vt.iotests.protocol", "--iotests-protocol", {"metavar": "PROTOCOL"}),
    ("vt.iotests.image_options", "--iotests-image-options", {"metavar": "OPTIONS"}),
    ("vt.iotests.cache_mode", "--iotests-cache-mode", {"metavar": "MODE"}),
    ("vt.iotests.aio_mode", "--iotests-aio-mode", {"metavar": "MODE"}),
    ("vt.iotests.machine", "--iotests-machine", {"metavar": "TYPE"}),
    ("vt.iotests.qemu", "--iotests-qemu", {"metavar": "FILE"}),
    ("vt.iotests.module", "--iotests-module", {"metavar": "MODULE"}),
    ("vt.iotests.api", "--iotests-api", {"metavar": "LEVEL"}),
)

_LISTER_OPTIONS = (
    ("vt.list_guests", "--vt-list-guests", {}),
    ("vt.list_archs", "--vt-list-archs", {}),
)

# A job may be replayed, and its tests run, in another directory.
_PATHS = ("vt.config", "vt.common.data_dir", "vt.common.tmp_dir", "vt.qemu.qemu_bin", "vt.qemu.qemu_dst_bin")


class _Options(CLI):
    """Options on one of Avocado's own commands."""

    command = None
    options = _OPTIONS

    def configure(self, parser):
        command = parser.subcommands.choices.get(self.command)
        if command is None:
            return
        group = command.add_argument_group("virtual machine tests")
        for namespace, option, arguments in self.options:
            settings.add_argparser_to_option(
                namespace=namespace, parser=group, long_arg=option, allow_multiple=True, **arguments
            )

    def run(self, config):
        if config.get("subcommand") != self.command:
            return
        for namespace in _PATHS:
            if config.get(namespace):
                config[namespace] = os.path.abspath(os.path.expanduser(config[namespace]))


class VTRun(_Options):
    name = "vt"
    description = "Avocado VT/virt-test support to 'run' command"
    command = "run"


class VTLister(_Options):
    name = "vt-list"
    description = "Avocado-VT/virt-test support for 'list' command"
    command = "list"
    options = _OPTIONS + _LISTER_OPTIONS

    def run(self, config):
        super().run(config)
        if config.get("subcommand") == "list" and (config.get("vt.list_guests") or config.get("vt.list_archs")):
            from . import commands  # pylint: disable=C0415

            # In place of what the command does.
            raise SystemExit(commands.list_guests_and_archs(config))
