# SPDX-License-Identifier: GPL-2.0-or-later
"""What a Windows guest is."""

from . import wmic


def _of_os(session, prop):
    found = wmic.parse_list(session.cmd(wmic.make_query("os", props=[prop], get_swch=wmic.FMT_TYPE_LIST)))
    return found[0] if found else None


def product_name(session):
    """Its name, as "Microsoft Windows Server 2022 Standard"; None if it does not say."""
    return _of_os(session, "Caption")


def version(session):
    """Its number, as "10.0.20348"."""
    return _of_os(session, "Version")


def os_arch(session):
    """Either "64-bit" or "32-bit"."""
    return _of_os(session, "OSArchitecture")


def file_exists(session, filename):
    """True if the guest has such a file, hidden or not."""
    return session.cmd_status("dir /a /b %s" % filename) == 0
