# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP server with any number of connections."""

import _vt
from testplan.common.utils import networking


class Server:
    """bind(), serve(), accept_connection(), then receive() and send(), at last close().

    Connections have numbers in the order of their arrival and are accepted in it. `listen` is the backlog; `name` and
    `traffic` (a _vt.driver.TrafficLog) are for messages and records.
    """

    def __init__(self, host="localhost", port=0, listen=128, name="server", traffic=None, tls=None):
        self._input_host = host
        self._input_port = port
        self._server = _vt.driver.TcpServer(name, host, networking.port_to_int(port), listen, traffic, tls)
        self._socket = None

    @property
    def host(self):
        """The host as it was given."""
        return self._input_host

    @property
    def ip(self):
        """The address that it is bound to; None before bind()."""
        return self._server.ip or None

    @property
    def port(self):
        """The port that it is bound to; None before bind()."""
        return self._server.port or None

    @property
    def socket(self):
        """The listening socket, a duplicate of its descriptor."""
        if self._socket is None and self._server.fd >= 0:
            import socket

            self._socket = socket.fromfd(self._server.fd, socket.AF_INET, socket.SOCK_STREAM)
        return self._socket

    @property
    def _listening(self):
        return self._server.listening

    @property
    def active_connections(self):
        """How many have come."""
        return self._server.arrived

    @property
    def accepted_connections(self):
        return self._server.accepted

    def bind(self):
        """Takes the port."""
        self._server.bind()

    def serve(self, loop_sleep=None, listening_timeout=5):
        """Lets connections in from now on. The arguments are of the past: nothing sleeps here."""
        self._server.listen()

    def accept_connection(self, timeout=10, accept_connection_sleep=None):
        """The number of the next connection in the order of their arrival; -1 if none comes within `timeout` seconds."""
        return self._server.accept(timeout)

    def close_connection(self, conn_idx):
        self._server.close_connection(conn_idx)

    def receive(self, size=1024, conn_idx=None, timeout=30, wait_full_size=True):
        """Just `size` bytes of a connection (the last accepted one); or what is there, at most `size` bytes, without
        waiting: BlockingIOError if nothing is."""
        if wait_full_size:
            return self._server.receive(size, conn_idx, timeout)
        received = self._server.receive_some(size, conn_idx)
        if received is None:
            raise BlockingIOError(
                11, "nothing has come on this connection yet; receive(size=…) waits for that many bytes"
            )
        return received

    def send(self, msg, conn_idx=None, timeout=30):
        """All of `msg` through a connection (the last accepted one); returns its length."""
        return self._server.send(msg if type(msg) is bytes else bytes(msg), conn_idx, timeout)

    def close(self):
        """Closes all connections and accepts no more. As in Testplan the port stays taken until one more client has come,
        whose connection ends at once; release() lets go of it now."""
        self._server.retire()

    def release(self):
        """Closes all connections and the port."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._server.close()
