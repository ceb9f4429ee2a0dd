# SPDX-License-Identifier: GPL-2.0-or-later
"""framework and its siblings with scapy's packets."""

import logging
import socket
import unittest
from types import SimpleNamespace

from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, IPOption
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_RA, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

import framework
import util
import vpp_pg_interface
import vpp_sub_interface


class Case(framework.VppTestCase):
    """A case of our own"""

    def runTest(self):
        """Nothing"""

    setUpClass = tearDownClass = classmethod(lambda cls: None)
    setUp = tearDown = lambda self: None


def case():
    one = Case()
    one.reset_packet_infos()
    one.logger = logging.getLogger("case")
    return one


def built(packet):
    """With every field as bytes have it."""
    return packet.__class__(bytes(packet))


ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
NETWORK = IP(src="10.0.0.1", dst="10.0.0.2")
NETWORK6 = IPv6(src="fd00::1", dst="fd00::2")


class Checksums(unittest.TestCase):
    def test_every_transport(self):
        one = case()
        for packet in (ETHER / NETWORK / UDP() / Raw("x"), ETHER / NETWORK / TCP() / Raw("x"), ETHER / NETWORK / ICMP() / Raw("x"),
                       ETHER / NETWORK6 / UDP() / Raw("x"), ETHER / NETWORK6 / ICMPv6EchoRequest(data="x"), NETWORK / TCP()):
            one.assert_packet_checksums_valid(built(packet))
            wrong = built(packet)
            last = wrong.getlayer(len(wrong.layers()) - 1)
            layer = next(part for part in (UDP, TCP, ICMP, ICMPv6EchoRequest) if wrong.haslayer(part))
            field = "cksum" if layer is ICMPv6EchoRequest else "chksum"
            setattr(wrong[layer], field, getattr(wrong[layer], field) ^ 0x101)
            with self.assertRaises(AssertionError, msg=repr(last)):
                one.assert_packet_checksums_valid(built(wrong))

    def test_by_layer(self):
        one = case()
        tcp = built(ETHER / NETWORK / TCP())
        one.assert_ip_checksum_valid(tcp)
        one.assert_tcp_checksum_valid(tcp)
        tcp[TCP].chksum ^= 1
        with self.assertRaises(AssertionError):
            one.assert_tcp_checksum_valid(tcp)
        tcp[IP].chksum ^= 1
        with self.assertRaises(AssertionError):
            one.assert_ip_checksum_valid(tcp)

    def test_icmp_errors(self):
        one = case()
        quoted = bytes(NETWORK / UDP(sport=1, dport=2) / Raw("quoted"))
        error = built(ETHER / IP(src="10.0.0.9", dst="10.0.0.1") / ICMP(type=3) / Raw(quoted))
        self.assertTrue(error.haslayer(IPerror))
        one.assert_icmp_checksum_valid(error)
        one.assert_embedded_icmp_checksum_valid(error)
        wrong = quoted[:8] + bytes([quoted[8] ^ 1]) + quoted[9:]
        with self.assertRaises(AssertionError):
            one.assert_embedded_icmp_checksum_valid(built(ETHER / IP(dst="10.0.0.1") / ICMP(type=3) / Raw(wrong)))

    def test_icmpv6(self):
        one = case()
        quoted = bytes(NETWORK6 / UDP() / Raw("quoted"))
        for packet in (ETHER / NETWORK6 / ICMPv6EchoRequest(data="x"), ETHER / NETWORK6 / ICMPv6DestUnreach() / Raw(quoted)):
            one.assert_icmpv6_checksum_valid(built(packet))
            wrong = bytearray(bytes(packet))
            wrong[56] ^= 1
            with self.assertRaises(AssertionError):
                one.assert_icmpv6_checksum_valid(Ether(bytes(wrong)))

    def test_tunnels(self):
        one = case()
        tunnel = built(ETHER / NETWORK / UDP(dport=4789) / VXLAN(vni=1) / ETHER / NETWORK / TCP())
        one.assert_packet_checksums_valid(tunnel)
        wrong = tunnel.copy()
        wrong[TCP].chksum ^= 1
        with self.assertRaises(AssertionError):
            one.assert_packet_checksums_valid(wrong)


class Packets(unittest.TestCase):
    def test_extend_packet_in_place(self):
        packet = ETHER / NETWORK / UDP() / Raw("x")
        Case.extend_packet(packet, 200, "ab")
        self.assertEqual(len(packet) + 4, 200)
        self.assertTrue(packet[Raw].load.startswith(b"xabab"))

    def test_payload_of_a_raw_layer(self):
        info = case().payload_to_info((ETHER / NETWORK / UDP() / Raw("3 1 2 4 17"))[Raw])
        self.assertEqual((info.index, info.src, info.dst, info.ip, info.proto), (3, 1, 2, 4, 17))

    def test_streams_and_captures(self):
        packet = ETHER / NETWORK / UDP() / Raw("x")
        self.assertEqual(vpp_pg_interface.frames_of(packet), [bytes(packet)])
        self.assertEqual(vpp_pg_interface.frames_of([packet, bytes(packet)]), [bytes(packet)] * 2)
        capture = vpp_pg_interface.Capture([bytes(packet)] * 3)
        self.assertEqual([one[Raw].load for one in capture], [b"x"] * 3)
        self.assertEqual(len(capture.res), 3)
        self.assertEqual(len(capture[1:]), 2)
        self.assertIn("UDP", capture.summary.__self__.__repr__())
        self.assertTrue(vpp_pg_interface.is_ipv6_misc(ETHER / IPv6(src="fe80::1", dst="ff02::1") / ICMPv6ND_RA()))

    def test_printing(self):
        text = util.ppp("A packet:", ETHER / NETWORK / UDP())
        self.assertTrue(text.startswith("A packet:\n") and "###[ UDP ]###" in text)
        self.assertIn("Packet #1:", util.ppc("Two:", [ETHER / NETWORK] * 2))

    def test_fragments_of_ipv4(self):
        packet = built(ETHER / IP(src="10.0.0.1", dst="10.0.0.2", id=7) / UDP() / Raw(b"x" * 1000))
        fragments = util.fragment_rfc791(packet, 400)
        self.assertTrue(all(len(one) <= 400 for one in fragments) and len(fragments) == 3)
        self.assertEqual([int(one[IP].flags) & 1 for one in fragments], [1, 1, 0])
        self.assertEqual(bytes(util.reassemble4_ether(list(reversed(fragments)))), bytes(packet))
        self.assertEqual(bytes(util.reassemble4(fragments)), bytes(packet[IP]))
        self.assertEqual(util.fragment_rfc791(packet, 2000), [packet])

    def test_options_of_ipv4_that_every_fragment_repeats(self):
        alert, route = b"\x94\x04\x00\x00", b"\x07\x07\x04\x00\x00\x00\x00"  # the first is copied (RFC 791, 3.1)
        network = IP(src="10.0.0.1", dst="10.0.0.2", id=7, options=[IPOption(alert), IPOption(route)])
        packet = built(ETHER / network / UDP() / Raw(b"x" * 1000))
        fragments = util.fragment_rfc791(packet, 400)
        self.assertTrue(all(len(one) <= 400 for one in fragments))
        self.assertEqual([bytes(one[IP])[20 : one[IP].ihl * 4] for one in fragments],
                         [alert + route + b"\x00"] + [alert] * (len(fragments) - 1))
        data = b"".join(bytes(one[IP])[one[IP].ihl * 4 : one[IP].len] for one in fragments)
        self.assertEqual(data, bytes(packet[IP])[packet[IP].ihl * 4 :])
        self.assertEqual([one[IP].frag * 8 for one in fragments][1], fragments[0][IP].len - fragments[0][IP].ihl * 4)
        for one in fragments:
            again = one[IP].copy()
            del again.chksum
            self.assertEqual(built(again).chksum, one[IP].chksum)
        with self.assertRaisesRegex(Exception, "has length 9"):
            util._copied_options(b"\x94\x09\x00\x00")

    def test_fragments_of_ipv6(self):
        packet = built(ETHER / NETWORK6 / UDP() / Raw(b"x" * 1000))
        fragments = util.fragment_rfc8200(packet, 9, 400)
        self.assertTrue(all(len(one) <= 400 for one in fragments))
        data = b"".join(bytes(one[IPv6])[48:] for one in fragments)
        self.assertEqual(data, bytes(packet[IPv6].payload))
        with self.assertRaises(Exception):
            util.fragment_rfc8200(packet, 9, 60)

    def test_a_conversation(self):
        ends = [SimpleNamespace(remote_mac="02:00:00:00:00:0%d" % n, local_mac="02:00:00:00:01:0%d" % n, remote_ip4="10.0.0.%d" % n,
                                remote_ip6="fd00::%d" % n) for n in (1, 2)]
        talk = util.L4_Conn(None, *ends, socket.AF_INET, TCP, 1000, 2000)
        packet = talk.pkt(1, {"flags": "S"}, "y")
        self.assertEqual((packet[IP].src, packet[TCP].sport, packet[TCP].flags), ("10.0.0.2", 2000, "S"))
        self.assertEqual(util.L4_Conn(None, *ends, socket.AF_INET6, UDP, 1, 2).pkt(0)[IPv6].dst, "fd00::2")


class Interfaces(unittest.TestCase):
    def made(self, kind, **fields):
        one = kind.__new__(kind)
        for name, value in fields.items():
            setattr(one, name, value)
        one._test = SimpleNamespace(instance=lambda: self)
        return one

    def test_tags(self):
        dot1q = self.made(vpp_sub_interface.VppDot1QSubint, _vlan=7)
        plain = ETHER / NETWORK / UDP()
        tagged = dot1q.add_dot1_layer(plain.copy())
        self.assertEqual(bytes(tagged)[12:18], b"\x81\x00\x00\x07\x08\x00")
        self.assertEqual(bytes(dot1q.remove_dot1_layer(Ether(bytes(tagged)))), bytes(plain))
        dot1ad = self.made(vpp_sub_interface.VppDot1ADSubint, _outer_vlan=8, _inner_vlan=9)
        tagged = dot1ad.add_dot1_layer(plain.copy())
        self.assertEqual(bytes(tagged)[12:22], b"\x88\xa8\x00\x08\x81\x00\x00\x09\x08\x00")

    def test_questions(self):
        from util import Host

        one = self.made(vpp_pg_interface.VppPGInterface, _local_ip4="172.16.1.1", _local_ip6="fd01:1::1")
        one.remote_hosts = [Host("02:01:00:00:ff:02", "172.16.1.2", "fd01:1::2", "fe80::2")]
        arp = one.create_arp_req()
        self.assertEqual((arp[ARP].pdst, arp[ARP].hwsrc), ("172.16.1.1", "02:01:00:00:ff:02"))
        ndp = one.create_ndp_req()
        self.assertTrue(ndp.dst.startswith("33:33:ff"))
        self.assertEqual(one.host_by_ip4("172.16.1.2").mac, one.remote_mac)
        self.assertIs(one.host_by_mac(one.remote_mac), one.host_by_ip6("fd01:1::2"))


if __name__ == "__main__":
    unittest.main()
