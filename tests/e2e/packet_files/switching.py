# SPDX-License-Identifier: GPL-2.0-or-later
"""Packet tests of Open vSwitch, as a user writes them."""

import os
import signal
import unittest

from framework import VppTestCase, VppTestRunner
import _vtpacket


class OvsTestCase(VppTestCase):
    adapter_name = "ovs"
    interfaces = 3

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.create_pg_interfaces(range(cls.interfaces))

    def tearDown(self):
        self.reset_packet_infos()
        super().tearDown()

    @staticmethod
    def frame(src, dst, data=b"data"):
        return _vtpacket.udp_frame((src.remote_mac, src.remote_ip4, 1234), (dst.remote_mac, dst.remote_ip4, 4321), data)

    def learn(self, *interfaces):
        """The switch learns where the hosts are."""
        for interface in interfaces or self.pg_interfaces:
            interface.add_stream(self.frame(interface, interface))
        self.pg_start()
        self.vapi.cli("ofproto/list")
        for interface in interfaces or self.pg_interfaces:
            self.await_learnt(interface.remote_mac)

    def await_learnt(self, mac):
        """The last frames of a stream are still on their way when pg_start() returns."""
        for _ in range(200):
            if mac in self.vapi.cli("fdb/show br0"):
                return
            self.sleep(0.02)
        self.fail("%s was not learnt: %s" % (mac, self.vapi.cli("fdb/show br0")))


class Learning(OvsTestCase):
    """L2 learning and flooding"""

    def test_flooding_before_learning(self):
        """What nobody has sent from goes everywhere"""
        frame = self.frame(self.pg0, self.pg1)
        captures = self.send_and_expect(self.pg0, [frame], [self.pg1, self.pg2])
        self.assertEqual([capture.frames for capture in captures], [[frame], [frame]])
        self.pg0.assert_nothing_captured()

    def test_learning(self):
        """What has been sent from is sent to alone"""
        self.learn()
        frame = self.frame(self.pg0, self.pg1)
        rx = self.send_and_expect_only(self.pg0, [frame], self.pg1, timeout=0.3)
        self.assertEqual(rx.frames, [frame])
        self.assert_packet_counter_equal("/if/pg2/rx_packets", 1)


class Vlans(OvsTestCase):
    """VLAN access and trunk"""

    def test_access_and_trunk(self):
        """Tags are put on where they are to be, and taken off"""
        self.adapter.set_access_vlan(0, 10)
        self.adapter.set_trunk_vlans(1, [10, 20])
        self.adapter.set_access_vlan(2, 20)
        frame = self.frame(self.pg0, self.pg1)
        rx = self.send_and_expect_only(self.pg0, [frame], self.pg1, timeout=0.3)
        tagged = frame[:12] + b"\x81\x00\x00\x0a" + frame[12:]
        self.assertEqual(rx.frames, [tagged])
        # From the trunk, VLAN 20 reaches its access port untagged, VLAN 30 nobody.
        back = self.frame(self.pg1, self.pg2)
        rx = self.send_and_expect_only(self.pg1, [back[:12] + b"\x81\x00\x00\x14" + back[12:]], self.pg2, timeout=0.3)
        self.assertEqual(rx.frames, [back])
        self.send_and_assert_no_replies(self.pg1, [back[:12] + b"\x81\x00\x00\x1e" + back[12:]], timeout=0.3)

    def test_sub_interface(self):
        """A sub-interface is a VLAN that the parent carries"""
        from vpp_sub_interface import VppDot1QSubint

        self.adapter.set_access_vlan(0, 33)
        self.adapter.set_access_vlan(2, 1)
        sub = VppDot1QSubint(self, self.pg1, 33)
        self.assertEqual((sub.name, sub.vlan, self.pg1.sub_if, sub.parent), ("pg1.33", 33, sub, self.pg1))
        frame = self.frame(self.pg0, sub)
        info = self.create_packet_info(self.pg0, sub)
        self.assertEqual(self.get_packet_count_for_if_idx(self.pg1.sw_if_index), 1)
        self.assertEqual(info.dst, sub.sw_if_index)
        rx = self.send_and_expect(self.pg0, [frame], sub)
        self.assertEqual(rx.frames, [frame[:12] + b"\x81\x00\x00\x21" + frame[12:]])


class Thousand(OvsTestCase):
    """1,000 packets of mixed size, with infos"""

    adapter_options = {"mtu": 9000}

    def test_mixed_sizes(self):
        self.learn()
        sizes = (64, 65, 128, 512, 1024, 1518, 4096, 9018)
        for source in (self.pg0, self.pg2):
            frames = []
            for number in range(500):
                info = self.create_packet_info(source, self.pg1)
                frame = self.frame(source, self.pg1, self.info_to_payload(info).encode())
                frames.append(self.extend_packet(frame, sizes[number % len(sizes)]))
                info.data = frames[-1]
            source.add_stream(frames)
        self.pg_enable_capture()
        self.pg_start()
        rx = self.pg1.get_capture(timeout=20)
        self.assertEqual(len(rx), 1000)
        seen, last = set(), {self.pg0.sw_if_index: None, self.pg2.sw_if_index: None}
        for frame in rx.frames:
            self.assert_packet_checksums_valid(frame)
            info = self.payload_to_info(_vtpacket.payload(frame))
            # In the order in which the source has sent them.
            expected = self.get_next_packet_info_for_interface2(info.src, self.pg1.sw_if_index, last[info.src])
            self.assertEqual((info.index, frame), (expected.index, expected.data))
            last[info.src] = expected
            seen.add(info.index)
        self.assertEqual(len(seen), 1000)
        for interface in (self.pg0, self.pg2):
            interface.assert_nothing_captured()


class AccessList(OvsTestCase):
    """An ACL that drops"""

    def test_dropped_without_reply(self):
        self.adapter.set_flows("priority=100,udp,tp_dst=4321,actions=drop\npriority=1,actions=NORMAL", True)
        self.send_and_assert_no_replies(self.pg0, [self.frame(self.pg0, self.pg1)] * 10, timeout=0.3)
        with self.assertRaisesRegex(AssertionError, "Non-empty capture for interface pg1"):
            other = _vtpacket.udp_frame(
                (self.pg0.remote_mac, self.pg0.remote_ip4, 1), (self.pg1.remote_mac, self.pg1.remote_ip4, 2), b"x")
            self.send_and_assert_no_replies(self.pg0, [other], timeout=2)


class Nat(OvsTestCase):
    """Addresses rewritten by flows"""

    def test_checksums_are_made_anew(self):
        self.adapter.set_flows(
            "priority=10,ip,nw_src=%s,actions=mod_nw_src:192.0.2.1,mod_tp_src:999,NORMAL\n"
            "priority=1,actions=NORMAL" % self.pg0.remote_ip4, True)
        self.learn(self.pg1)
        frame = self.frame(self.pg0, self.pg1, b"through NAT")
        rx = self.send_and_expect(self.pg0, [frame], self.pg1)
        new = rx.frames[0]
        self.assertEqual(new[26:30], bytes([192, 0, 2, 1]))
        self.assertEqual(int.from_bytes(new[34:36], "big"), 999)
        self.assertNotEqual(new[24:26], frame[24:26])
        for check in (self.assert_packet_checksums_valid, self.assert_ip_checksum_valid, self.assert_udp_checksum_valid):
            check(new)
        wrong = bytearray(new)
        wrong[24] ^= 1
        with self.assertRaisesRegex(AssertionError, "the checksum of IP"):
            self.assert_packet_checksums_valid(bytes(wrong))


class Crash(OvsTestCase):
    """The daemon crashes in mid-test"""

    def test_crash(self):
        self.pg_enable_capture()
        os.kill(self.vpp.pid, signal.SIGSEGV)
        self.pg1.get_capture(1, timeout=30)


class Mismatch(OvsTestCase):
    """A capture that is not what was expected"""

    def test_mismatch(self):
        self.send_and_expect(self.pg0, [self.frame(self.pg0, self.pg1)], self.pg0)


class Veth(OvsTestCase):
    """Real interfaces: veth pairs in the test's namespace"""

    adapter_options = {"ports": "veth"}

    def test_through_veths(self):
        self.learn()
        frames = [self.extend_packet(self.frame(self.pg0, self.pg1), 64 + number) for number in range(100)]
        self.assertEqual(self.send_and_expect_only(self.pg0, frames, self.pg1, timeout=0.2).frames, frames)

    def test_tags_stay(self):
        frame = self.frame(self.pg0, self.pg1)
        tagged = frame[:12] + b"\x81\x00\x00\x05" + frame[12:]
        self.assertEqual(self.send_and_expect(self.pg0, [tagged], self.pg1).frames, [tagged])


class Tap(OvsTestCase):
    """Real interfaces: taps that the switch opens"""

    adapter_options = {"ports": "tap"}

    def test_through_taps(self):
        frames = [self.extend_packet(self.frame(self.pg0, self.pg1), 64 + number) for number in range(50)]
        self.assertEqual(self.send_and_expect(self.pg0, frames, self.pg1).frames, frames)


if __name__ == "__main__":
    unittest.main(testRunner=VppTestRunner)
