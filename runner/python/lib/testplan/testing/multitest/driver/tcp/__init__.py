# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP communication protocol drivers."""

from testplan.testing.multitest.driver.tcp.client import TCPClient, TCPClientConfig
from testplan.testing.multitest.driver.tcp.server import TCPServer, TCPServerConfig

__all__ = ("TCPClient", "TCPClientConfig", "TCPServer", "TCPServerConfig")
