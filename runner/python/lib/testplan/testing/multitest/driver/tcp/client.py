# SPDX-License-Identifier: GPL-2.0-or-later
"""TCPClient driver classes."""

import os
from time import time

import _vt
from testplan.common.config import ConfigOption
from testplan.common.config.check import Or
from testplan.common.utils.context import ContextValue, expand
from testplan.common.utils.networking import port_to_int
from testplan.common.utils.sockets.client import Client
from testplan.common.utils.timing import TimeoutException, TimeoutExceptionInfo
from testplan.testing.multitest.driver.base import Driver, DriverConfig, is_tls
from testplan.testing.multitest.driver.connection import ConnectionExtractor, Direction, Protocol


class TCPClientConfig(DriverConfig):
    """Options of a TCPClient."""

    @classmethod
    def get_options(cls):
        return {
            "host": Or(str, ContextValue),
            "port": Or(int, str, ContextValue),
            ConfigOption("interface", default=None): Or(None, tuple),
            ConfigOption("connect_at_start", default=True): bool,
            ConfigOption("tls", default=None): is_tls,
        }


class TCPClient(Driver):
    """A client with one connection. What went over it is in `traffic` in its run path.

    {emphasized_members_docs}

    :param name: its name
    :param host: the server's host, or a context value: context("server", "{{host}}")
    :param port: the server's port, or a context value
    :param interface: (host, port) that it binds to before it connects
    :param connect_at_start: whether start() connects it
    :param tls: True: whom the system trusts, or a DefaultTLSConfig or SimpleTLSConfig
    """

    CONFIG = TCPClientConfig
    EXTRACTORS = [ConnectionExtractor(Protocol.TCP, Direction.CONNECTING)]

    def __init__(self, name, host, port, interface=None, connect_at_start=True, **options):
        options.update(self.filter_locals(locals()))
        super().__init__(**options)
        self._host = None
        self._port = None
        self._client = None
        self._core = None  # the client's, for messages: no call in between
        self._server_host = None
        self._server_port = None

    @property
    def host(self):
        """The address that it is connected from."""
        return self._host

    @property
    def port(self):
        """Client port number assigned."""
        return self._port

    @property
    def server_port(self):
        """The port that it is connected to."""
        return self._server_port

    @property
    def connection_identifier(self):
        return self.server_port

    @property
    def local_port(self):
        return self.port

    @property
    def local_host(self):
        return self.host

    def _up(self):
        if self._client is None:
            raise RuntimeError(f"{self} is not started: it does not know its server yet")
        return self._client

    def connect(self):
        """Connects it."""
        self._up().connect(self.cfg.timeout)
        self._host, self._port = self._client.address

    def send_text(self, msg, standard="utf-8"):
        """Encodes to bytes and calls TCPClient.send."""
        return self.send(msg.encode(standard))

    def send(self, msg):
        """Sends all bytes of `msg`; returns how many."""
        core = self._core
        if core is None or type(msg) is not bytes:
            return self._up().send(msg)[1]
        core.send(msg, 30.0)
        return len(msg)

    def send_tsp(self, msg):
        """Sends all bytes of `msg`; returns the time in microseconds since 1970 and how many."""
        return self._up().send(msg)

    def receive_text(self, standard="utf-8", **kwargs):
        """Calls TCPClient.receive and decodes received bytes."""
        received = self.receive(**kwargs)
        if received is None:
            raise RuntimeError(f"{self} has received nothing that could be decoded")
        return received.decode(standard)

    def receive(self, size=1024, timeout=30):
        """What comes, at most `size` bytes; none after the server's end.

        Raises TimeoutException; with timeout=None it does not wait and returns None instead."""
        began = time()
        try:
            return (self._core or self._up()).receive(size, timeout or 0)
        except TimeoutError as error:
            if timeout is None:
                return None
            raise TimeoutException(
                f"Timed out waiting for message on {self.cfg.name}. {TimeoutExceptionInfo(began).msg()} {error}"
            ) from error

    def reconnect(self):
        """Client reconnect."""
        self.close()
        self.connect()

    def starting(self):
        """Start the TCP client and optionally connect to host/post."""
        super().starting()
        self._server_host = expand(self.cfg.host, self.context)
        self._server_port = port_to_int(expand(self.cfg.port, self.context))
        traffic = _vt.driver.TrafficLog(os.path.join(self.runpath, "traffic")) if self.runpath else None
        tls = None
        if self.cfg.tls:
            from testplan.common.utils.sockets.tls import _options_of

            tls = _options_of(self.cfg.tls, self.context)
        self._client = Client(
            self._server_host, self._server_port, self.cfg.interface, name=self.cfg.name, traffic=traffic, tls=tls
        )
        self._core = self._client._client
        if self.cfg.connect_at_start:
            self.connect()

    def stopping(self):
        """Close the client connection."""
        super().stopping()
        self.close()

    def close(self):
        """Close connection."""
        if self._client is not None:
            self._client.close()

    def aborting(self):
        """Abort logic that stops the client."""
        super().aborting()
        self.close()
