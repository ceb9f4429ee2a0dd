# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado on a terminal of its own: keys are pressed as a person presses them, and reach whom the kernel sends them to."""

import json
import os
import pty
import signal
import subprocess
import threading
import time

import pytest

from jobs import Job, wait_until


class Terminal:
    """Avocado in the foreground of a pseudo-terminal; keys go in, text comes out."""

    def __init__(self, site, *words, stdout=None):
        self.site = site
        for path in [*site.root.glob("*.json"), *site.root.glob("go")]:
            path.unlink()
        self.before = site.results_dirs()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(site.root)
            if stdout:
                os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT, 0o600), 1)
            venv = site.environment["PATH"].split(":")[1]
            os.execve(f"{venv}/avocado", [f"{venv}/avocado", *map(str, words)], site.environment)
        self.text = ""
        self.pressed = 0
        self.status = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:  # nobody has the other end any more
                return
            self.text += data.decode(errors="replace")

    def press(self, key):
        """What the runner hears within 0.7 s of the same key is taken for a key that is held down."""
        time.sleep(max(0, self.pressed + 1.5 - time.monotonic()))
        self.pressed = time.monotonic()
        os.write(self.master, bytes([ord(key) & 0x1F]))

    def shows(self, words, count=1, timeout=30):
        def looked_for():
            return self.text.count(words) >= count

        try:
            wait_until(words, looked_for, timeout)
        except AssertionError:
            raise AssertionError(f"'{words}' is not on the terminal:\n{self.text}") from None

    def told(self, test, timeout=60):
        """What a test of vm_does.py tells."""
        path = self.site.root / f"{test}.json"
        try:
            wait_until(f"the start of {test}", path.exists, timeout)
        except AssertionError:
            raise AssertionError(f"{test} does not start:\n{self.text}") from None
        return json.loads(path.read_text())

    def lets_go(self):
        """The tests that wait for it may end."""
        (self.site.root / "go").touch()

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def finish(self, timeout=60):
        wait_until("Avocado's end", self.ended, timeout)
        self._reader.join(5)
        results = [path for path in self.site.results_dirs() if path not in self.before][0]
        return Job(subprocess.CompletedProcess([], self.status, self.text, ""), results)

    def close(self):
        if not self.ended():
            os.kill(self.pid, signal.SIGTERM)
            wait_until("Avocado's end", self.ended, 20)
        os.close(self.master)


@pytest.fixture
def terminal():
    """Starts Avocado on terminals: terminal(site, word, …)."""
    opened = []

    def start(site, *words, **options):
        opened.append(Terminal(site, *words, **options))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
