# SPDX-License-Identifier: GPL-2.0-or-later
"""What QMP raises, by the names of QEMU 6.1 (QMP…Error) and of 7.2."""

import sys

if sys.version_info >= (3, 11):
    _AsyncTimeout = TimeoutError  # asyncio's own is the same there, and asyncio takes long to import
else:
    from asyncio import TimeoutError as _AsyncTimeout


class QMPError(Exception):
    """Parent of all."""


class StateError(QMPError):
    """There is no connection, or there is one already."""


class ConnectError(QMPError):
    """No connection came about."""


class ExecInterruptedError(QMPError, ConnectionResetError):
    """The connection ended before the answer."""


class ExecuteError(QMPError):
    """QEMU answered with an error."""

    def __init__(self, reply):
        error = reply.get("error", {})
        super().__init__(error.get("desc", str(reply)))
        self.reply = self.error = reply
        self.error_class = error.get("class")


class QMPTimeoutError(QMPError, _AsyncTimeout):
    """Nothing came within the time; also what asyncio raises for that."""


QMPConnectError = ConnectError
QMPCapabilitiesError = ConnectError
QMPResponseError = ExecuteError


class QMPBadPortError(QMPError):
    """An address HOST:PORT whose port is no number."""
