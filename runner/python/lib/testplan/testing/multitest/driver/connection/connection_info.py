# SPDX-License-Identifier: GPL-2.0-or-later
"""Ends of connections over ports and over files, and the graph of them."""

from testplan.testing.multitest.driver.connection.base import (
    BaseConnectionInfo,
    BaseDriverConnectionGroup,
)


class Protocol:
    TCP = "tcp"
    UDP = "udp"
    FILE = "file"


class PortConnectionInfo(BaseConnectionInfo):
    """An end that has a port of its own."""

    def __init__(self, protocol, identifier, direction, port=None, host=None):
        super().__init__(protocol, identifier, direction)
        self.port = port
        self.host = host

    def promote_to_connection(self):
        return PortDriverConnectionGroup.from_connection_info(self)


class PortDriverConnectionGroup(BaseDriverConnectionGroup):
    """Drivers with the ports that they have in a connection."""

    def _labels(self, info):
        port = "Unknown" if info.port is None else str(info.port)
        return port, port


class FileConnectionInfo(BaseConnectionInfo):
    """A file that one writes and another reads."""

    def promote_to_connection(self):
        return FileDriverConnectionGroup.from_connection_info(self)


class FileDriverConnectionGroup(BaseDriverConnectionGroup):
    """Drivers with what they do to a file."""

    def _labels(self, info):
        return "Read", "Write"


class DriverConnectionGraph:
    """Drivers and the connections between them, for a picture."""

    def __init__(self, drivers):
        self.drivers = drivers
        self.connections = []
        self.nodes = []
        self.edges = []

    def add_connection(self, driver_name, conn_info):
        for connection in self.connections:
            if connection.add_driver_if_in_connection(driver_name, conn_info):
                return
        connection = conn_info.promote_to_connection()
        connection.add_driver_if_in_connection(driver_name, conn_info)
        self.connections.append(connection)

    def set_nodes_and_edges(self):
        """Makes `nodes` and `edges` of what was added."""
        import re

        names = {str(driver): None for driver in self.drivers}
        connected = set()
        for connection in filter(BaseDriverConnectionGroup.should_include, self.connections):
            for listener, listening in connection.in_drivers.items():
                for connector, connecting in connection.out_drivers.items():
                    names.update({listener: None, connector: None})
                    if listener == connector:
                        continue
                    connected |= {listener, connector}
                    self.edges.append(
                        {
                            "id": f"{connection.connection_rep}: {connector} -> {listener}",
                            "source": connector,
                            "target": listener,
                            "startLabel": ",".join(sorted(connecting)),
                            "label": connection.connection_rep,
                            "endLabel": ",".join(sorted(listening)),
                        }
                    )
        self.nodes = [
            {
                "id": name,
                "data": {"label": re.sub(r"(\w+)(\[\w+\])", r"\1\n\2", name)},
                "style": {} if name in connected else {"border": "1px solid #FF0000"},
            }
            for name in names
        ]
