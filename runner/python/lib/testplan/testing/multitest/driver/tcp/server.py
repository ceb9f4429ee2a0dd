# SPDX-License-Identifier: GPL-2.0-or-later
"""TCPServer driver classes."""

import os
from time import time

import _vt
from testplan.common.config import ConfigOption
from testplan.common.config.check import Or
from testplan.common.utils.context import ContextValue, expand
from testplan.common.utils.documentation_helper import emphasized
from testplan.common.utils.sockets.server import Server
from testplan.common.utils.timing import TimeoutException, TimeoutExceptionInfo
from testplan.testing.multitest.driver.base import Driver, DriverConfig, is_tls
from testplan.testing.multitest.driver.connection import ConnectionExtractor, Direction, Protocol


class TCPServerConfig(DriverConfig):
    """Options of a TCPServer."""

    @classmethod
    def get_options(cls):
        return {
            ConfigOption("host", default="localhost"): Or(str, ContextValue),
            ConfigOption("port", default=0): Or(int, str, ContextValue),
            ConfigOption("backlog", default=128): int,
            ConfigOption("tls", default=None): is_tls,
        }


class TCPServer(Driver):
    """A server that sends and receives over any number of connections. What went over them is in `traffic` in its run path.

    {emphasized_members_docs}

    :param name: its name
    :param host: what it binds to
    :param port: 0: one that is free
    :param backlog: connections that may wait for the kernel's accept
    :param tls: True: with a certificate that it makes (`certificate`), or a SimpleTLSConfig
    """

    CONFIG = TCPServerConfig
    EXTRACTORS = [ConnectionExtractor(Protocol.TCP, Direction.LISTENING)]

    def __init__(self, name, host="localhost", port=0, **options):
        options.update(self.filter_locals(locals()))
        super().__init__(**options)
        self._host = None
        self._port = None
        self._server = None
        self._core = None  # the server's, for messages: no call in between
        self._certificate = None

    @emphasized
    @property
    def host(self):
        """Target host name."""
        return self._host

    @emphasized
    @property
    def port(self):
        """Port number assigned."""
        return self._port

    @property
    def socket(self):
        """The listening socket; None before it has started."""
        return self._server.socket if self._server is not None else None

    @property
    def certificate(self):
        """The file of its TLS certificate, for a client's cacert; None without TLS."""
        return self._certificate

    @property
    def connection_identifier(self):
        return self.port

    @property
    def local_port(self):
        return self.port

    @property
    def local_host(self):
        return self.host

    def _up(self):
        if self._server is None:
            raise RuntimeError(f"{self} is not started: it has no connections yet")
        return self._server

    def accept_connection(self, timeout=10):
        """The number of the next connection, in the order in which they came; -1 if none comes within `timeout`
        seconds."""
        return self._up().accept_connection(timeout=timeout)

    def close_connection(self, conn_idx):
        """Closes a connection; its number is not used again."""
        self._up().close_connection(conn_idx)

    def send_text(self, msg, standard="utf-8", **kwargs):
        """Encodes to bytes and calls TCPServer.send."""
        return self.send(msg.encode(standard), **kwargs)

    def send(self, msg, conn_idx=None, timeout=30):
        """Sends all bytes of `msg` through a connection (the last accepted one) within `timeout` seconds; returns how
        many."""
        return (self._core or self._up()).send(msg if type(msg) is bytes else bytes(msg), conn_idx, timeout)

    def receive_text(self, standard="utf-8", **kwargs):
        """Calls TCPServer.receive and decodes received bytes."""
        received = self.receive(**kwargs)
        if received is None:
            raise RuntimeError(f"{self} has received nothing that could be decoded")
        return received.decode(standard)

    def receive(self, size=None, conn_idx=None, timeout=30):
        """Just `size` bytes of a connection (the last accepted one); without a size what is there, at most 1024 bytes.

        Raises TimeoutException; with timeout=None it does not wait and returns None instead."""
        if size is None:
            return self._up().receive(1024, conn_idx, wait_full_size=False)
        began = time()
        try:
            return (self._core or self._up()).receive(size, conn_idx, timeout or 0)
        except TimeoutError as error:
            if timeout is None:
                return None
            raise TimeoutException(
                f"Timed out waiting for message on {self.cfg.name}. {TimeoutExceptionInfo(began).msg()} {error}"
            ) from error

    def starting(self):
        """Starts the TCP server."""
        super().starting()
        if self._server is not None:
            self._server.release()  # its port may be wanted again
        host = expand(self.cfg.host, self.context)
        tls = self.cfg.tls and self._tls(host)
        traffic = _vt.driver.TrafficLog(os.path.join(self.runpath, "traffic")) if self.runpath else None
        self._server = Server(
            host, expand(self.cfg.port, self.context), self.cfg.backlog, name=self.cfg.name, traffic=traffic, tls=tls
        )
        self._core = self._server._server
        self._server.bind()
        self._server.serve()
        self._host = host
        self._port = self._server.port
        self.logger.info("%s listening on %s:%s", self, self.host, self.port)

    def _tls(self, host):
        from testplan.common.utils.sockets.tls import _options_of

        options = _options_of(self.cfg.tls, self.context)
        if not options.certificate:
            own = _vt.driver.make_certificate(os.path.join(self.runpath, "tls"), [host])
            options.certificate, options.key = own.certificate, own.key
        self._certificate = str(options.certificate)
        return options

    def stopping(self):
        """Stops the TCP server."""
        super().stopping()
        if self._server is not None:
            self._server.close()

    def aborting(self):
        """Abort logic that stops the server."""
        super().aborting()
        if self._server is not None:
            self._server.release()
