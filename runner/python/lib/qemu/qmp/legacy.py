# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.qmp.legacy: the synchronous QMP client that block tests use."""

import os
import socket
import threading

import _vt
from qemu.qmp.error import (
    ConnectError,
    ExecInterruptedError,
    ExecuteError,
    QMPBadPortError,
    QMPError,
    QMPTimeoutError,
    StateError,
)

# What the core has to say does not belong into a script's output.
_vt.block_quiet()

QMPMessage = dict
QMPReturnValue = object
QMPObject = dict

_number = 0
_numbers = threading.Lock()


def _log_file(name):
    """Where the traffic of one more connection goes; empty where nobody asked for it."""
    global _number
    directory = os.environ.get("VT_IOTESTS_LOG_DIR")
    if not directory or not os.path.isdir(directory):
        return ""
    with _numbers:
        _number += 1
        return os.path.join(directory, "%s.%d.log" % (name.replace("/", "_"), _number))


class QEMUMonitorProtocol:
    """A connection to QEMU's monitor, made by connect() or awaited by accept()."""

    def __init__(self, address=None, server=False, nickname=None, sock=None):
        # QEMU 7.2 has the socket as its second argument.
        if isinstance(server, socket.socket):
            sock, server = server, bool(nickname)
            nickname = None
        assert address or sock
        self._address = address
        self._nickname = nickname or "qmp"
        self._sock = sock
        self._listener = None
        self._link = None
        self._timeout = None
        if server and sock is None:
            self._listener = socket.socket(self._family(), socket.SOCK_STREAM)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(address)
            self._listener.listen(1)

    def _family(self):
        return socket.AF_INET if isinstance(self._address, tuple) else socket.AF_UNIX

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.close()

    @classmethod
    def parse_address(cls, address):
        """(host, port) for HOST:PORT, else the path as it is."""
        parts = address.split(":")
        if len(parts) != 2:
            return address
        try:
            return parts[0], int(parts[1])
        except ValueError:
            raise QMPBadPortError("Bad port: '%s' in '%s'." % (parts[1], address)) from None

    def _attach(self, connected, timeout, negotiate=True):
        connected.settimeout(None)
        try:
            self._link = _vt.QmpLink(
                connected.detach(), self._nickname, _log_file(self._nickname), timeout, negotiate
            )
        except (ConnectionError, TimeoutError) as error:
            raise ConnectError("Failed to establish session: %s" % error) from error
        return self._link.greeting if negotiate else None

    def connect(self, negotiate=True):
        """Connects to a listening QEMU; its greeting, or None without negotiation."""
        connected = socket.socket(self._family(), socket.SOCK_STREAM)
        try:
            connected.connect(self._address)
        except OSError as error:
            connected.close()
            raise ConnectError("Failed to establish connection: %s" % error) from error
        return self._attach(connected, self._timeout, negotiate)

    def accept(self, timeout=15.0):
        """Awaits QEMU's connection; its greeting."""
        if self._listener is None:
            connected, self._sock = self._sock, None
            return self._attach(connected, timeout)
        self._listener.settimeout(timeout)
        try:
            connected, _ = self._listener.accept()
        except socket.timeout as error:
            raise QMPTimeoutError("nobody connected to %s within %s s" % (self._address, timeout)) from error
        self._listener.close()
        self._listener = None
        return self._attach(connected, timeout)

    def _connected(self):
        if self._link is None:
            raise StateError("QMP is not connected")
        return self._link

    def cmd_obj(self, qmp_cmd):
        """Sends a message as it is; the whole reply."""
        try:
            return self._connected().command(qmp_cmd, self._timeout)
        except ConnectionError as error:
            raise ExecInterruptedError(str(error)) from error
        except TimeoutError as error:
            raise QMPTimeoutError(str(error)) from error

    def cmd_raw(self, name, args=None):
        """As cmd()."""
        return self.cmd(name, args)

    def cmd(self, name, args=None, cmd_id=None):
        """Runs a command; the whole reply, errors too."""
        message = {"execute": name}
        if args:
            message["arguments"] = args
        if cmd_id:
            message["id"] = cmd_id
        return self.cmd_obj(message)

    def command(self, cmd, **kwds):
        """Runs a command; what it returns. An error is raised."""
        reply = self.cmd(cmd, kwds)
        if "error" in reply:
            raise ExecuteError(reply)
        return reply["return"]

    def pull_event(self, wait=False):
        """The oldest event. Without `wait` None if there is none; True: waits for ever; else so many seconds."""
        limit = None if wait is True else float(wait or 0)
        try:
            event = self._connected().event(limit)
        except ConnectionError as error:
            raise ExecInterruptedError(str(error)) from error
        if event is None and wait:
            raise QMPTimeoutError("Timeout waiting for event: none came within %s s" % wait)
        return event

    def get_events(self, wait=False):
        """All events, which are taken out; with `wait` at least one."""
        events = self._connected().events()
        if events:
            return events
        event = self.pull_event(wait)
        return [] if event is None else [event]

    def clear_events(self):
        """Drops all events."""
        self._connected().events()

    def close(self):
        """Ends the connection."""
        if self._link is not None:
            self._link.close()
            self._link = None
        for unused in (self._sock, self._listener):
            if unused is not None:
                unused.close()
        self._sock = self._listener = None

    def settimeout(self, timeout):
        """Seconds for the answer to a command; None: no limit."""
        self._timeout = timeout

    def get_sock_fd(self):
        """Not given away: the core reads the connection."""
        raise QMPError("the connection's descriptor is the core's; use send_fd_scm()")

    def is_scm_available(self):
        """True where descriptors can be passed."""
        return self._family() == socket.AF_UNIX

    def send_fd_scm(self, fd):
        """Passes a descriptor, for the next getfd or add-fd."""
        self._connected().send_descriptor(fd)
