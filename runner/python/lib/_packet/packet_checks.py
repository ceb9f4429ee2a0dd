# SPDX-License-Identifier: GPL-2.0-or-later
"""What packet tests assert. Checksums are the core's work; scapy's packets and bytes are taken alike."""

from inspect import getdoc

import _vtpacket
from util import is_scapy, ppp

#: Layers whose sums the core knows, by scapy's names.
_CORE = ("IP", "TCP", "UDP", "ICMP", "IPerror", "TCPerror", "UDPerror", "ICMPerror")
_ETHERNET = bytes(12)


def _frame_of(packet):
    """The packet as an Ethernet frame: one that begins with IP gets a header."""
    frame = bytes(packet)
    if is_scapy(packet) and packet.name in ("IP", "IPv6"):
        return _ETHERNET + (b"\x08\x00" if packet.name == "IP" else b"\x86\xdd") + frame
    return frame


def _is_tunnel(packet):
    """True for a packet with several networks in it, of which the core sees the outermost."""
    return is_scapy(packet) and sum(layer.__name__ in ("IP", "IPv6") for layer in packet.layers()) > 1


class PacketChecks:
    """Mixed into test cases; on unittest's assertions."""

    def assert_equal(self, real_value, expected_value, name_or_class=None):
        """`name_or_class` tells in the message what the values are: a name, or a NumericConstant's class."""
        if name_or_class is None:
            self.assertEqual(real_value, expected_value)
            return
        try:
            name = getdoc(name_or_class).strip() if isinstance(name_or_class, type) else name_or_class
            words = [
                "%d('%s')" % (value, name_or_class(value)) if isinstance(name_or_class, type) else str(value)
                for value in (real_value, expected_value)]
        except Exception:  # a class that has no name for a value
            name, words = name_or_class, [real_value, expected_value]
        self.assertEqual(
            real_value, expected_value, "Invalid %s: %s does not match expected value %s" % (name, words[0], words[1]))

    def assert_in_range(self, real_value, expected_min, expected_max, name=None):
        msg = None if name is None else "Invalid %s: %s out of range <%s,%s>" % (name, real_value, expected_min, expected_max)
        self.assertTrue(expected_min <= real_value <= expected_max, msg)

    # Checksums

    def assert_packet_checksums_valid(self, packet, ignore_zero_udp_checksums=True):
        """Every checksum in the packet."""
        if _is_tunnel(packet):
            self._every_layer_valid(packet, ignore_zero_udp_checksums)
            return
        complaint = _vtpacket.checksum_complaint(_frame_of(packet), ignore_zero_udp_checksums)
        if complaint:
            self.logger.error(ppp("Packet with a wrong checksum:", packet))
            self.fail("Invalid packet checksum: %s" % complaint)

    def _every_layer_valid(self, packet, ignore_zero_udp_checksums):
        """By scapy: the packet without its sums, built anew, has the right ones."""
        received = packet.__class__(bytes(packet))
        bare, fields = received.copy(), []
        for number, layer in enumerate(received.layers()):
            for field in ("cksum", "chksum"):
                part = received.getlayer(number)
                if not hasattr(part, field):
                    continue
                zero = getattr(part, field) == 0 and layer.__name__ in ("UDP", "UDPerror")
                if not (zero and ignore_zero_udp_checksums):
                    delattr(bare.getlayer(number), field)
                    fields.append((number, field))
        built = bare.__class__(bytes(bare))
        for number, field in fields:
            self.assert_equal(
                getattr(received[number], field), getattr(built[number], field),
                "packet checksum on layer #%d: %s" % (number, built[number].name))

    def assert_checksum_valid(self, received_packet, layer, field_name="chksum", ignore_zero_checksum=False):
        """The checksum of one layer, by scapy's name of it."""
        if layer in _CORE and not _is_tunnel(received_packet):
            found = [one for one in _vtpacket.checksums(_frame_of(received_packet), False) if one.layer == layer]
            if found:
                one = found[0]
                if not one.valid and not (ignore_zero_checksum and one.found == 0):
                    self.assert_equal(one.found, one.expected, "packet checksum on layer: %s" % layer)
                return
        value = getattr(received_packet[layer], field_name)
        if ignore_zero_checksum and value == 0:
            return
        bare = received_packet.__class__(bytes(received_packet))
        delattr(bare[layer], field_name)
        built = bare.__class__(bytes(bare))
        self.assert_equal(value, getattr(built[layer], field_name), "packet checksum on layer: %s" % layer)

    def assert_ip_checksum_valid(self, received_packet, ignore_zero_checksum=False):
        self.assert_checksum_valid(received_packet, "IP", ignore_zero_checksum=ignore_zero_checksum)

    def assert_tcp_checksum_valid(self, received_packet, ignore_zero_checksum=False):
        self.assert_checksum_valid(received_packet, "TCP", ignore_zero_checksum=ignore_zero_checksum)

    def assert_udp_checksum_valid(self, received_packet, ignore_zero_checksum=True):
        self.assert_checksum_valid(received_packet, "UDP", ignore_zero_checksum=ignore_zero_checksum)

    def assert_embedded_icmp_checksum_valid(self, received_packet):
        """Of the datagram that an ICMP error quotes, as far as it goes."""
        quoted = [one for one in _vtpacket.checksums(_frame_of(received_packet), True) if one.layer.endswith("error")]
        for one in quoted:
            if not one.valid:
                self.assert_equal(one.found, one.expected, "packet checksum on layer: %s" % one.layer)

    def assert_icmp_checksum_valid(self, received_packet):
        self.assert_checksum_valid(received_packet, "ICMP")
        self.assert_embedded_icmp_checksum_valid(received_packet)

    def assert_icmpv6_checksum_valid(self, pkt):
        """Of an echo, an answer to one, or an error, and of what that quotes."""
        for one in _vtpacket.checksums(_frame_of(pkt), True):
            if one.layer == "ICMPv6" and not one.valid:
                self.assert_equal(one.found, one.expected, "packet checksum on layer: ICMPv6")
        self.assert_embedded_icmp_checksum_valid(pkt)

    # Counters

    def assert_packet_counter_equal(self, counter, expected_value):
        """A counter of the daemon's: of its statistics where the name begins with a slash, else of its errors."""
        if counter.startswith("/") and self.statistics is not None:
            value = self.statistics.get_counter(counter)
        else:
            value = self.adapter.counter(counter)
        self.assertIsNotNone(value, "the daemon has no counter `%s'" % counter)
        self.assert_equal(value, expected_value, "packet counter `%s'" % counter)
