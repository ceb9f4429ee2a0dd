# SPDX-License-Identifier: GPL-2.0-or-later
"""What an end of a connection is."""

import enum
from collections import defaultdict


class Direction(enum.Enum):
    CONNECTING = "connecting"
    LISTENING = "listening"


class BaseConnectionInfo:
    """One end: a protocol, what names the connection, and which end it is. A value."""

    def __init__(self, protocol, identifier, direction):
        self.protocol = protocol
        self.identifier = identifier
        self.direction = direction

    @property
    def connection_rep(self):
        """What both ends have in common."""
        return f"{self.protocol}://{self.identifier}"

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"

    def promote_to_connection(self):
        raise NotImplementedError(f"{type(self).__name__} has no promote_to_connection()")


class BaseDriverConnectionGroup:
    """The drivers at both ends of a connection: in_drivers listen, out_drivers connect."""

    def __init__(self, connection_rep, in_drivers=None, out_drivers=None):
        self.connection_rep = connection_rep
        self.in_drivers = in_drivers if in_drivers is not None else defaultdict(set)
        self.out_drivers = out_drivers if out_drivers is not None else defaultdict(set)

    @classmethod
    def from_connection_info(cls, driver_connection_info):
        """A group without drivers for this connection."""
        return cls(driver_connection_info.connection_rep)

    def _labels(self, info):
        """What is said of the end that listens, and of the one that connects."""
        raise NotImplementedError(f"{type(self).__name__} has no _labels()")

    def add_driver_if_in_connection(self, driver_name, driver_connection_info):
        """True if it is an end of this connection; then it is in the group."""
        if self.connection_rep != driver_connection_info.connection_rep:
            return False
        listening, connecting = self._labels(driver_connection_info)
        if driver_connection_info.direction == Direction.LISTENING:
            self.in_drivers[driver_name].add(listening)
        else:
            self.out_drivers[driver_name].add(connecting)
        return True

    def should_include(self):
        """Whether both ends are there."""
        return bool(self.in_drivers and self.out_drivers)

    def __str__(self):
        return f"{type(self).__name__}[{self.connection_rep}]"


class BaseConnectionExtractor:
    """Finds the connections of a driver."""

    def extract_connection(self, driver):
        raise NotImplementedError(f"{type(self).__name__} has no extract_connection()")
