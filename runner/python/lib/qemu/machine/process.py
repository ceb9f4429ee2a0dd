# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of the core with the names of subprocess.Popen."""

import signal
import subprocess

import _vt


class Process:
    """Started at once; dies with this process. `output`: a file for both streams, else this process's own."""

    def __init__(self, args, output=None):
        self.args = list(args)
        self._core = _vt.BlockProgram([str(word) for word in self.args], None if output is None else output.fileno())
        self.pid = self._core.pid
        self.returncode = None
        self.stdin = self.stdout = self.stderr = None

    def poll(self):
        """The exit code (negative: a signal), None while it runs."""
        if self.returncode is None:
            self.returncode = self._core.poll()
        return self.returncode

    def wait(self, timeout=None):
        """The exit code, once it has ended."""
        if self.returncode is None:
            self.returncode = self._core.wait(timeout)
            if self.returncode is None:
                raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def await_file(self, path, timeout=None):
        """Waits until the file is there; False if the program ends before."""
        return self._core.await_file(path, timeout)

    def send_signal(self, sig):
        """Sends a signal to it."""
        self._core.signal(sig)

    def terminate(self):
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self):
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.wait()
