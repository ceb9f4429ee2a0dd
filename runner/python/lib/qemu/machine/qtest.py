# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu.machine.qtest: a machine whose processors do not run, and the protocol that drives its devices and clock."""

import os
import socket

from qemu.machine.machine import QEMUMachine


def has_accelerator():
    """Whether machines get the qtest accelerator; the runner has asked the binary."""
    return os.environ.get("VT_IOTESTS_QTEST", "1") != "0"


class QEMUQtestProtocol:
    """A connection to QEMU's qtest socket."""

    def __init__(self, address, server=False):
        self._address = address
        family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sockfile = None
        if server:
            self._sock.bind(address)
            self._sock.listen(1)

    def connect(self):
        """Connects to QEMU."""
        self._sock.connect(self._address)
        self._sockfile = self._sock.makefile(mode="r")

    def accept(self):
        """Awaits QEMU's connection."""
        connected, _ = self._sock.accept()
        self._sock.close()
        self._sock = connected
        self._sockfile = self._sock.makefile(mode="r")

    def cmd(self, qtest_cmd):
        """Sends a command; the line that answers it."""
        assert self._sockfile is not None
        self._sock.sendall((qtest_cmd + "\n").encode())
        return self._sockfile.readline()

    def close(self):
        """Ends the connection."""
        self._sock.close()
        if self._sockfile is not None:
            self._sockfile.close()
            self._sockfile = None

    def settimeout(self, timeout):
        """Seconds for each step; None: no limit."""
        self._sock.settimeout(timeout)


class QEMUQtestMachine(QEMUMachine):
    """A machine with a qtest socket, where this QEMU has the accelerator."""

    def __init__(self, binary, args=(), wrapper=(), name=None, base_temp_dir="/var/tmp", socket_scm_helper=None, sock_dir=None, qmp_timer=None):
        name = name or "qemu-%d" % os.getpid()
        sock_dir = sock_dir or base_temp_dir
        super().__init__(
            binary,
            args,
            wrapper=wrapper,
            name=name,
            base_temp_dir=base_temp_dir,
            socket_scm_helper=socket_scm_helper,
            sock_dir=sock_dir,
            qmp_timer=qmp_timer,
        )
        self._qtest = None
        self._qtest_path = os.path.join(sock_dir, name + "-qtest.sock")

    @property
    def _base_args(self):
        args = super()._base_args
        if has_accelerator():
            args += ["-qtest", "unix:path=" + self._qtest_path, "-accel", "qtest"]
        return args

    def _pre_launch(self):
        super()._pre_launch()
        if has_accelerator():
            self._qtest = QEMUQtestProtocol(self._qtest_path, server=True)

    def _post_launch(self):
        super()._post_launch()
        if self._qtest is not None:
            self._qtest.accept()

    def _post_shutdown(self):
        if self._qtest is not None:
            self._qtest.close()
            self._qtest = None
        super()._post_shutdown()
        self._remove_if_exists(self._qtest_path)

    def _load_io_log(self):
        super()._load_io_log()
        if self._iolog and not has_accelerator() and self.exitcode() == 0:
            # Scripts take the lines of the qtest protocol off its ends, and a newline with the last one.
            self._iolog = "[I 0.000000] OPENED\n%s[I +0.000000] CLOSED\n" % self._iolog

    def qtest(self, cmd):
        """Sends a qtest command; the line that answers it."""
        if self._qtest is None:
            if not has_accelerator():
                self._without_qtest(cmd)
            raise RuntimeError("qtest socket not available")
        return self._qtest.cmd(cmd)

    def _without_qtest(self, cmd):
        """What a command does where there is no qtest accelerator: for subclasses."""
        raise RuntimeError('this QEMU (%s) has no qtest accelerator, which the command "%s" needs' % (self._binary, cmd))
