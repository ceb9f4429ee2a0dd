# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds connections: of a driver that knows its own, and of a process by what it has open."""

from testplan.testing.multitest.driver.connection.base import BaseConnectionExtractor, Direction
from testplan.testing.multitest.driver.connection.connection_info import (
    FileConnectionInfo,
    PortConnectionInfo,
    Protocol,
)

#: By the numbers of socket.SOCK_STREAM and socket.SOCK_DGRAM, whose module is not needed for this.
SOCKET_CONNECTION_MAP = {1: Protocol.TCP, 2: Protocol.UDP}
NETWORK_CONNECTION_MAP = {protocol: kind for kind, protocol in SOCKET_CONNECTION_MAP.items()}


class ConnectionExtractor(BaseConnectionExtractor):
    """The end that a driver says it has."""

    def __init__(self, protocol, direction):
        self.protocol = protocol
        self.direction = direction

    def extract_connection(self, driver):
        return [
            PortConnectionInfo(
                protocol=self.protocol,
                direction=self.direction,
                identifier=driver.connection_identifier,
                port=getattr(driver, "local_port", None),
                host=getattr(driver, "local_host", None),
            )
        ]


def _of_process(driver, what):
    """What psutil says of the driver's process; nothing if it has gone."""
    try:
        import psutil
    except ImportError:
        raise RuntimeError("finding the connections of a process needs the package psutil") from None
    try:
        return getattr(psutil.Process(driver.pid), what)()
    except (psutil.NoSuchProcess, psutil.AccessDenied) as error:
        from testplan.common.utils.logger import TESTPLAN_LOGGER

        TESTPLAN_LOGGER.info("Error getting metadata for driver %s: %s", driver, error)
        return []


class SubprocessPortConnectionExtractor(BaseConnectionExtractor):
    """The sockets of a driver's process."""

    def __init__(self, connections_to_check=None, connections_to_ignore=None):
        self.connections_to_check = [
            NETWORK_CONNECTION_MAP[protocol] for protocol in connections_to_check or (Protocol.TCP, Protocol.UDP)
        ]
        self.connections_to_ignore = [NETWORK_CONNECTION_MAP[protocol] for protocol in connections_to_ignore or ()]

    def extract_connection(self, driver):
        sockets = [
            each
            for each in _of_process(driver, "connections")
            if each.family != 1  # AF_UNIX
            and each.type in self.connections_to_check
            and each.type not in self.connections_to_ignore
        ]
        listening = {each.laddr.port for each in sockets if each.status == "LISTEN"}
        found = []
        for each in sockets:
            if each.status == "NONE" or (each.status == "ESTABLISHED" and each.laddr.port in listening):
                identifier, direction = each.laddr.port, Direction.LISTENING
            elif each.status == "ESTABLISHED":
                identifier, direction = each.raddr.port, Direction.CONNECTING
            else:
                continue
            found.append(
                PortConnectionInfo(
                    protocol=SOCKET_CONNECTION_MAP[each.type],
                    identifier=identifier,
                    direction=direction,
                    port=each.laddr.port,
                    host=each.laddr.ip,
                )
            )
        return found


class SubprocessFileConnectionExtractor(BaseConnectionExtractor):
    """The files that a driver's process has open."""

    def __init__(self, files_to_ignore=None):
        self.files_to_ignore = files_to_ignore or ["stdout", "stderr"]

    def extract_connection(self, driver):
        found = []
        for file in _of_process(driver, "open_files"):
            if file.path.split("/")[-1] in self.files_to_ignore:
                continue
            for direction, modes in (
                (Direction.LISTENING, ("r", "r+", "a+")),
                (Direction.CONNECTING, ("w", "a", "r+", "a+")),
            ):
                if file.mode in modes:
                    found.append(
                        FileConnectionInfo(protocol=Protocol.FILE, identifier=file.path, direction=direction)
                    )
        return found
