# SPDX-License-Identifier: GPL-2.0-or-later
"""Packet tests to be killed in the middle of: a switch in a network namespace, with sockets, veths and taps."""

import os
import pathlib

from framework import VppTestCase
import _vtpacket


def tell(phase):
    (pathlib.Path(os.environ["VT_SOAK_DIR"]) / "phases" / f"{phase}-{os.getpid()}").touch()


class Killed(VppTestCase):
    """Open vSwitch, killed"""

    adapter_name = "ovs"

    @classmethod
    def setUpClass(cls):
        tell("body")
        super().setUpClass()
        cls.create_pg_interfaces(range(2))

    def test_frames(self):
        tell("test")
        ends = [(one.remote_mac, one.remote_ip4, 1000) for one in (self.pg0, self.pg1)]
        for number in range(20):
            self.send_and_expect(self.pg0, [_vtpacket.udp_frame(*ends, b"%d" % number)] * 50, self.pg1)
        tell("done")


class KilledVeth(Killed):
    """The same with real interfaces"""

    adapter_options = {"ports": "veth"}


class KilledTap(Killed):
    """And with taps"""

    adapter_options = {"ports": "tap"}
