# SPDX-License-Identifier: GPL-2.0-or-later
"""Daemons that misbehave, and one of the test's own: a hub in a few lines of Python."""

import os
import sys

from framework import VppTestCase
import _vtpacket
import packet_adapters

HUB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hub.py")
FRAME = _vtpacket.udp_frame(("02:00:00:00:00:01", "10.0.0.1", 1), ("02:00:00:00:00:02", "10.0.0.2", 2), b"data")


class HubAdapter(packet_adapters.Adapter):
    """Interfaces are files: what is written to a pipe comes out in all others' captures."""

    words = ()

    def name(self):
        return "hub"

    def start(self):
        self.vpp = _vtpacket.Daemon([sys.executable if os.access(sys.executable, os.X_OK) else "/usr/bin/python3", HUB, *self.words],
                                    self.directory, ready=("line", "^ready$"), timeout=self.patience, grace=0.2)
        self.vpp.wait_ready()

    patience = 30

    def create_pg_interface(self, pg_index):
        return pg_index + 1, "02:00:00:00:01:0%d" % pg_index

    def begin_capture(self, pg_index, file):
        return os.path.join(self.directory, "hub%d.pcap" % pg_index)

    def inject(self, pg_index, frames, file, timeout):
        with open(os.path.join(self.directory, "hub.in"), "wb", buffering=0) as pipe:
            for frame in frames:
                pipe.write(bytes([pg_index]) + len(frame).to_bytes(2, "big") + frame)


class HubCase(VppTestCase):
    """A daemon of the test's own"""

    adapter_class = HubAdapter

    def test_hub(self):
        a, b, c = self.create_pg_interfaces(range(3))
        rx = self.send_and_expect(a, [FRAME, FRAME], [b, c])
        self.assertEqual([capture.frames for capture in rx], [[FRAME] * 2] * 2)
        a.assert_nothing_captured(timeout=0.1)
        self.assertEqual(a.remote_ip4, "172.16.1.2")
        self.assertEqual(self.vapi.sw_interface_dump()[1].interface_name, "pg1")
        with self.assertRaisesRegex(Exception, "hub has no CLI"):
            self.vapi.cli("anything")


def misbehaving(name, *words, **members):
    adapter = type(name + "Adapter", (HubAdapter,), {"words": words, "patience": members.pop("patience", 30)})
    return type(name, (VppTestCase,), {"adapter_class": adapter, "__doc__": name, "__module__": __name__})


class Missing(VppTestCase):
    """A daemon that is not there"""

    adapter_name = "ovs"
    adapter_options = {"program": "no-such-switch"}

    def test(self):
        """Never begins"""


class Exits(misbehaving("ExitsBase", "exit")):
    """Exits at its start"""

    def test(self):
        """Never begins"""


class NeverReady(misbehaving("NeverReadyBase", "silent", patience=0.5)):
    """Says nothing"""

    def test(self):
        """Never begins"""


class Stubborn(misbehaving("StubbornBase", "stubborn")):
    """Floods its output and ignores SIGTERM"""

    def test(self):
        self.vpp.wait_for_line("line 200000$", 60)


class Endless(misbehaving("EndlessBase", "endless")):
    """Its capture never ends"""

    def test(self):
        a, b = self.create_pg_interfaces(range(2))
        self.send_and_expect(a, [FRAME], b)


class TooLong(VppTestCase):
    """A packet longer than the MTU"""

    adapter_name = "ovs"

    def test(self):
        a, b = self.create_pg_interfaces(range(2))
        self.send_and_assert_no_replies(a, [self.extend_packet(FRAME, 3000)], timeout=0.3)
        with self.assertRaisesRegex(Exception, "has 70000 bytes; 65535 are the most"):
            a.add_stream([bytes(70000)])
            self.pg_start()

    def test_twice(self):
        """Two interfaces of one name"""
        self.create_pg_interfaces([7])
        with self.assertRaisesRegex(Exception, "there is an interface pg7 already"):
            self.create_pg_interfaces([7])
