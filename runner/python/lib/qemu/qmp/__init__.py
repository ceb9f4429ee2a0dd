# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.qmp: QEMU's machine protocol. The connection is the core's; these are the names."""

from qemu.qmp.error import (
    ConnectError,
    ExecInterruptedError,
    ExecuteError,
    QMPBadPortError,
    QMPCapabilitiesError,
    QMPConnectError,
    QMPError,
    QMPResponseError,
    QMPTimeoutError,
    StateError,
)
from qemu.qmp.legacy import QEMUMonitorProtocol, QMPMessage, QMPObject, QMPReturnValue

__all__ = (
    "ConnectError",
    "ExecInterruptedError",
    "ExecuteError",
    "QEMUMonitorProtocol",
    "QMPBadPortError",
    "QMPCapabilitiesError",
    "QMPConnectError",
    "QMPError",
    "QMPMessage",
    "QMPObject",
    "QMPResponseError",
    "QMPReturnValue",
    "QMPTimeoutError",
    "StateError",
)
