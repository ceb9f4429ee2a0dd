# SPDX-License-Identifier: GPL-2.0-or-later
"""Drivers to be killed in the middle of: sockets, run paths, and a child that the test started by its own means."""

import os
import pathlib
import subprocess
import time
import unittest

from testplan.testing.multitest.driver.tcp import TCPClient, TCPServer


def tell(phase):
    (pathlib.Path(os.environ["VT_SOAK_DIR"]) / "phases" / f"{phase}-{os.getpid()}").touch()


class Killed(unittest.TestCase):
    def pair(self):
        server = TCPServer(name="server", runpath=os.path.join(os.environ["AVOCADO_TEST_OUTPUTDIR"], "server"))
        with server:
            client = TCPClient(
                name="client", host="127.0.0.1", port=server.port,
                runpath=os.path.join(os.environ["AVOCADO_TEST_OUTPUTDIR"], "client"),
            )
            with client:
                server.accept_connection(timeout=30)
                yield server, client

    def test_pair(self):
        tell("body")
        for server, client in self.pair():
            tell("test")
            for _ in range(500):
                client.send_text("ping")
                self.assertEqual(server.receive_text(size=4), "ping")
        tell("done")

    def test_child(self):
        tell("body")
        for _ in self.pair():
            child = subprocess.Popen(["sleep", os.environ["VT_SOAK_SLEEPER"]], start_new_session=True)
            tell("test")
            time.sleep(0.2)
            child.kill()
            child.wait()
        tell("done")
