# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of `run` and `list`, each with its setting."""

from avocado.core.plugin_interfaces import CLI
from avocado.core.settings import settings

# Setting, option, further arguments.
_OPTIONS = (
    ("vt.type", "--vt-type", {"metavar": "TYPE"}),
    ("vt.guest_os", "--vt-guest-os", {"metavar": "GUEST"}),
    ("vt.config", "--vt-config", {"metavar": "FILE"}),
    ("vt.short_names_when_config", "--vt-short-names-when-config", {}),
    ("vt.only_filter", "--vt-only-filter", {"metavar": "FILTERS"}),
    ("vt.no_filter", "--vt-no-filter", {"metavar": "FILTERS"}),
    ("vt.filter.default_filters", "--vt-filter-default-filters", {"metavar": "FILTER", "nargs": "+"}),
    ("vt.extra_params", "--vt-extra-params", {"metavar": "KEY=VALUE", "action": "append"}),
    ("vt.common.arch", "--vt-arch", {"metavar": "ARCH"}),
    ("vt.common.machine_type", "--vt-machine-type", {"metavar": "MACHINE"}),
    ("vt.qemu.qemu_bin", "--vt-qemu-bin", {"metavar": "FILE"}),
    ("vt.qemu.qemu_dst_bin", "--vt-qemu-dst-bin", {"metavar": "FILE"}),
    ("vt.libvirt.connect_uri", "--vt-connect-uri", {"metavar": "URI"}),
)


class _Options(CLI):
    """Options on one of Avocado's own commands."""

    command = None

    def configure(self, parser):
        command = parser.subcommands.choices.get(self.command)
        if command is None:
            return
        group = command.add_argument_group("virtual machine tests")
        for namespace, option, arguments in _OPTIONS:
            settings.add_argparser_to_option(
                namespace=namespace, parser=group, long_arg=option, allow_multiple=True, **arguments
            )

    def run(self, config):
        """Nothing: the resolver reads the settings."""


class VTRun(_Options):
    name = "vt"
    description = "Avocado VT/virt-test support to 'run' command"
    command = "run"


class VTLister(_Options):
    name = "vt-list"
    description = "Avocado-VT/virt-test support for 'list' command"
    command = "list"
