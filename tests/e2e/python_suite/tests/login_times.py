# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon after sshd's "Server listening" a login is there; test_login.py and login_bench.py run it.

Parameters: `login_by` is `runner` (the VM's own logins) or `ssh` (the ssh client, started the moment sshd listens);
with `login_reboots = yes` the guest restarts and is logged in to once more. The figures, in seconds, go to the
whiteboard.
"""

import json
import os
import subprocess
import tempfile
import threading
import time


class Console:
    """The serial console's log: when sshd said that it listens, and what it saw before it let somebody in."""

    LISTENING = "Server listening on 0.0.0.0"

    def __init__(self, path):
        self.path = path
        self._seen = []  # when the n-th sshd said that it listens
        self._news = threading.Condition()
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self):
        while True:
            count = self.text().count(self.LISTENING)
            with self._news:
                if count > len(self._seen):
                    self._seen.append(time.monotonic())
                    self._news.notify_all()
            time.sleep(0.01)

    def text(self):
        try:
            with open(self.path, errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def listening(self, start, timeout=900):
        """When sshd said that it listens after the guest's start number `start`."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._seen) > start, timeout), "sshd does not start"
            return self._seen[start]

    def connections(self, start):
        """How many connections the sshd of that start of the guest saw before it let somebody in."""
        log = self.text().split(self.LISTENING)[start + 1]
        before = log.split("Accepted password")[0]
        return before.count("Connection from") + before.count("drop connection")


def by_ssh_client(vm):
    """One command by the ssh client, with the password by SSH_ASKPASS."""
    with tempfile.TemporaryDirectory() as directory:
        askpass = os.path.join(directory, "askpass")
        with open(askpass, "w") as file:
            file.write('#!/bin/sh\necho "$LOGIN_PASSWORD"\n')
        os.chmod(askpass, 0o700)
        argv = ["ssh", "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
        argv += ["-o", "PubkeyAuthentication=no", "-o", "LogLevel=ERROR", "-p", str(vm.get_port(22)), "root@127.0.0.1"]
        environment = dict(os.environ, SSH_ASKPASS=askpass, SSH_ASKPASS_REQUIRE="force", DISPLAY=":0",
                           LOGIN_PASSWORD=vm.params["password"])
        subprocess.run([*argv, "true"], env=environment, stdin=subprocess.DEVNULL, check=True, timeout=600,
                       start_new_session=True)


def run(test, params, env):
    vm = env.get_vm(params["main_vm"])
    console = Console(vm.get_serial_console_filename())
    figures = {}
    if params.get("login_by") == "ssh":
        listening = console.listening(0)
        by_ssh_client(vm)
        figures["first"] = time.monotonic() - listening
        begun = time.monotonic()
        by_ssh_client(vm)
        figures["second"] = time.monotonic() - begun
    else:
        session = vm.wait_for_login(timeout=900)
        figures["first"] = time.monotonic() - console.listening(0)
        begun = time.monotonic()
        other = vm.wait_for_login(timeout=900)
        figures["second"] = time.monotonic() - begun
        assert session.cmd("echo $((20+3))").strip() == "23"
        other.close()
        if params.get("login_reboots") == "yes":
            session = vm.reboot(session, timeout=900)
            figures["reboot"] = time.monotonic() - console.listening(1)
            figures["reboot_connections"] = console.connections(1)
            assert session.cmd("echo $((20+3))").strip() == "23"
        session.close()
    figures["connections"] = console.connections(0)
    test.whiteboard = json.dumps(figures)
