# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports and host names."""

import _vt


def port_to_int(port):
    """A port as a number: of a number, its text, or a service's name."""
    return _vt.driver.port_number(str(port))


def get_hostname_access_url(port, url_path="/"):
    """How a browser on another machine reaches a server of this one."""
    import socket

    return f"http://{socket.getfqdn()}:{port}{url_path}"
