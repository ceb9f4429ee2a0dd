# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of Avocado-VT: each is one subcommand of the binary."""

from avocado.core.output import LOG_UI
from avocado.core.plugin_interfaces import CLICmd
from avocado.core.settings import settings

from .settings import Default

# runner.py is imported when a command runs: every avocado command loads this module.


def _selection(config, guest_os, machine=True):
    """Options that say which test set is meant."""
    from . import runner  # pylint: disable=C0415

    arguments = ["--data-dir", runner.data_dir(config)]
    values = [("--vt-type", config.get("vt.type")), ("--vt-guest-os", guest_os)]
    if machine:
        values += [
            ("--vt-arch", config.get("vt.common.arch")),
            ("--vt-machine-type", config.get("vt.common.machine_type")),
        ]
    for option, value in values:
        if value:
            arguments += [option, value]
    return arguments


def _call(arguments):
    from . import runner  # pylint: disable=C0415

    try:
        return runner.call(arguments)
    except runner.RunnerError as error:
        LOG_UI.error("%s", error)
        return 1


def _add(parser, namespace, option, metavar):
    settings.add_argparser_to_option(
        namespace=namespace, parser=parser, long_arg=option, metavar=metavar, allow_multiple=True
    )


class VTBootstrap(CLICmd):
    name = "vt-bootstrap"
    description = "Avocado VT - implements the 'vt-bootstrap' subcommand"

    _FLAGS = (
        ("no_downloads", "--vt-no-downloads", "Download nothing"),
        ("skip_verify", "--vt-skip-verify-download-assets", "Leave the guest image alone"),
        ("update_config", "--vt-update-config", "Replace config files that were edited"),
        ("update_providers", "--vt-update-providers", "Fetch the shipped providers, and the news of all others"),
        ("selinux_setup", "--vt-selinux-setup", "Set up the SELinux contexts of the directories"),
        ("yes_to_all", "--yes-to-all", "Answer questions with yes; edited config files are kept"),
    )
    _VALUES = (
        ("fetch_timeout", "--vt-fetch-timeout", "Seconds until a git server that says nothing is given up"),
        ("host_distro_name", "--vt-host-distro-name", "Name of the distribution, for host.cfg"),
        ("host_distro_version", "--vt-host-distro-version", "Its version"),
        ("host_distro_release", "--vt-host-distro-release", "Its release"),
        ("host_distro_arch", "--vt-host-distro-arch", "Its architecture"),
        ("import_config", "--vt-import-config", "Take more guests from an installed Avocado-VT or its wheel"),
        ("cluster_config", "--vt-cluster-config", "Refused: tests on several hosts at once are not supported"),
    )

    def configure(self, parser):
        parser = super().configure(parser)
        _add(parser, "vt.type", "--vt-type", "TYPE")
        _add(parser, "vt.guest_os", "--vt-guest-os", "GUEST")
        for key, option, help_msg in self._FLAGS:
            settings.register_option(
                "vt.bootstrap", key, False, help_msg, key_type=bool, parser=parser, long_arg=option
            )
        for key, option, help_msg in self._VALUES:
            settings.register_option("vt.bootstrap", key, None, help_msg, parser=parser, long_arg=option)

    def run(self, config):
        arguments = ["bootstrap"] + _selection(config, config.get("vt.guest_os"), machine=False)
        if config.get("vt.qemu.qemu_bin"):
            arguments += ["--vt-qemu-bin", config.get("vt.qemu.qemu_bin")]
        arguments += [option for key, option, _ in self._FLAGS if config.get(f"vt.bootstrap.{key}")]
        for key, option, _ in self._VALUES:
            value = config.get(f"vt.bootstrap.{key}")
            if value:
                arguments += [option, value]
        return _call(arguments)


def list_guests(config, guest_os):
    """The guests that match, those of all architectures that the settings leave."""
    return _call(["guests"] + _selection(config, guest_os))


def list_archs(config, machine=True):
    """The architectures and machine types of the guest in force; an empty one means all guests."""
    guest_os = config.get("vt.guest_os")
    arguments = ["archs"] + _selection(config, None, machine)
    if not isinstance(guest_os, Default):
        arguments += ["--vt-guest-os", guest_os]
    return _call(arguments)


def list_guests_and_archs(config):
    """What `list` shows for --vt-list-guests and --vt-list-archs; the exit status."""
    status = 0
    if config.get("vt.list_guests"):
        status = list_guests(config, None)
    if config.get("vt.list_archs"):
        status = list_archs(config, machine=False) or status
    return status


class VTListGuests(CLICmd):
    name = "vt-list-guests"
    description = "Avocado VT - implements the 'vt-list-guests' subcommand"

    def configure(self, parser):
        parser = super().configure(parser)
        settings.register_option(
            "vt.list_guests", "guest_os", None, "Only guests that match", parser=parser, long_arg="--guest-os"
        )
        _add(parser, "vt.type", "--vt-type", "TYPE")

    def run(self, config):
        return list_guests(config, config.get("vt.list_guests.guest_os"))


class VTListArchs(CLICmd):
    name = "vt-list-archs"
    description = "Avocado VT - implements the 'vt-list-archs' subcommand"

    def configure(self, parser):
        parser = super().configure(parser)
        _add(parser, "vt.type", "--vt-type", "TYPE")
        _add(parser, "vt.guest_os", "--vt-guest-os", "GUEST")

    def run(self, config):
        return list_archs(config)
