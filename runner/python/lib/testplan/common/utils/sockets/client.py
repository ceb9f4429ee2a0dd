# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP client."""

import _vt
from testplan.common.utils import networking


class Client:
    """connect(), send() and receive(), close(). `interface` is the local (host, port) that it takes, if any."""

    def __init__(self, host, port, interface=None, name="client", traffic=None, tls=None):
        self._input_host = host
        self._input_port = port
        self._interface = interface
        number = networking.port_to_int(port)
        self._client = _vt.driver.TcpClient(name, host, number, tuple(interface) if interface else None, traffic, tls)

    @property
    def address(self):
        """Its own host and port."""
        return self._client.address

    @property
    def port(self):
        """The server's port, as it was given."""
        return self._input_port

    def connect(self, timeout=30):
        self._client.connect(timeout)

    def send(self, msg, timeout=30):
        """All of `msg`. Returns the time in microseconds since 1970 and the length."""
        if type(msg) is not bytes:
            msg = bytes(msg)
        return self._client.send(msg, timeout), len(msg)

    def receive(self, size, timeout=30):
        """What comes, at most `size` bytes; none after the peer's end. Raises socket.timeout."""
        return self._client.receive(size, timeout)

    def recv(self, bufsize, flags=0):
        """As of a socket without a time-out; flags are not supported."""
        if flags:
            raise ValueError("flags of recv() are not supported here; a socket of one's own has them")
        return self._client.receive(bufsize, 1e9)

    def close(self):
        self._client.close()
