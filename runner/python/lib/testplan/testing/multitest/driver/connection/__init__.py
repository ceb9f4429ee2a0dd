# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is connected with whom."""

from testplan.testing.multitest.driver.connection.base import (
    BaseConnectionExtractor,
    BaseConnectionInfo,
    BaseDriverConnectionGroup,
    Direction,
)
from testplan.testing.multitest.driver.connection.connection_extractor import (
    ConnectionExtractor,
    SubprocessFileConnectionExtractor,
    SubprocessPortConnectionExtractor,
)
from testplan.testing.multitest.driver.connection.connection_info import (
    DriverConnectionGraph,
    FileConnectionInfo,
    FileDriverConnectionGroup,
    PortConnectionInfo,
    PortDriverConnectionGroup,
    Protocol,
)

__all__ = (
    "BaseConnectionExtractor",
    "BaseConnectionInfo",
    "BaseDriverConnectionGroup",
    "ConnectionExtractor",
    "Direction",
    "DriverConnectionGraph",
    "FileConnectionInfo",
    "FileDriverConnectionGroup",
    "PortConnectionInfo",
    "PortDriverConnectionGroup",
    "Protocol",
    "SubprocessFileConnectionExtractor",
    "SubprocessPortConnectionExtractor",
)
