# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet generator interface: frames go in here, and what the daemon sends out of it is captured."""

import functools
import os
import socket
import time
from collections.abc import Sequence
from traceback import format_stack

import _vtpacket
from util import is_scapy, ppc, ppp
from vpp_interface import VppInterface


class CaptureTimeoutError(Exception):
    """No packet came in time."""


def is_ipv6_misc(p):
    """True for what IPv6 hosts say unasked: advertisements to a group, and what carries a router alert."""
    return _vtpacket.is_ipv6_misc(bytes(p))


def frames_of(packets):
    """A packet, or packets: of scapy's or bytes."""
    if isinstance(packets, (bytes, bytearray)):
        return [bytes(packets)]
    return [bytes(packet) for packet in packets]


class Capture(Sequence):
    """Captured packets. Each is taken apart by scapy when it is looked at; `frames` has the bytes."""

    def __init__(self, frames=()):
        self.frames = list(frames)
        self._packets = [None] * len(self.frames)

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if self._packets[index] is None:
            from scapy.layers.l2 import Ether

            self._packets[index] = Ether(self.frames[index])
        return self._packets[index]

    @property
    def res(self):
        return list(self)

    def __getattr__(self, name):
        """Whatever else scapy's lists of packets can do."""
        if name.startswith("_"):
            raise AttributeError(name)
        from scapy.plist import PacketList

        return getattr(PacketList(list(self)), name)


def _filter(filter_out_fn):
    """A filter as the core takes it: its own one as a word, others with packets rather than bytes."""
    if filter_out_fn is None:
        return None
    if filter_out_fn is is_ipv6_misc:
        return True

    @functools.wraps(filter_out_fn)
    def with_packet(frame):
        from scapy.layers.l2 import Ether

        return bool(filter_out_fn(Ether(frame)))

    return with_packet


class VppPGInterface(VppInterface):

    def __init__(self, test, pg_index):
        super().__init__(test)
        made = test.bed.create_pg_interface(pg_index)
        self._pg_index = pg_index
        self._in_path, self._out_path = made.in_path, made.out_path
        self._in_history_counter = self._out_history_counter = self._out_assert_counter = 0
        self.set_sw_if_index(made.facts.sw_if_index)
        self._cap_name = "pcap%u" % self.sw_if_index
        self._input_cli = "packet-generator new pcap %s source pg%u name %s" % (self.in_path, pg_index, self.cap_name)
        self._capture_cli = "packet-generator capture pg%u pcap %s" % (pg_index, self.out_path)

    @property
    def pg_index(self):
        """The test's number of the interface."""
        return self._pg_index

    @property
    def out_path(self):
        """The last capture."""
        return self._out_path

    @property
    def in_path(self):
        """The last stream."""
        return self._in_path

    @property
    def capture_cli(self):
        """How VPP is told to capture."""
        return self._capture_cli

    @property
    def input_cli(self):
        """How VPP is told of a stream."""
        return self._input_cli

    @property
    def cap_name(self):
        """The name of the stream."""
        return self._cap_name

    @property
    def in_history_counter(self):
        """Grows with each look."""
        self._in_history_counter += 1
        return self._in_history_counter - 1

    @property
    def out_history_counter(self):
        self._out_history_counter += 1
        return self._out_history_counter - 1

    # A sub-interface's frames go through its parent.
    @property
    def _port(self):
        return self._pg_index

    def enable_capture(self):
        """What the daemon sends from now on is captured; an older capture gets another name."""
        self.test.vapi.hook.before_cli(self.capture_cli)
        self.test.bed.enable_capture(self._port)

    def add_stream(self, pkts):
        """Packets that pg_start() sends into the interface."""
        self.test.register_capture(self.cap_name)
        self.test.bed.add_stream(self._port, frames_of(pkts))

    def generate_debug_aid(self, kind):
        """A copy of the capture and the stack, for who looks for the reason."""
        self.test.bed.leave_aid(self._port, kind)
        name = "debug_%s_%s_%s.stack" % (self._name, self._out_assert_counter, kind)
        with open(os.path.join(self.test.tempdir, name), "w", encoding="utf-8") as file:
            file.writelines(format_stack())
        self._out_assert_counter += 1

    def _expected(self, name):
        count = self.test.get_packet_count_for_if_idx(self.sw_if_index)
        if count == 0:
            raise Exception("Internal error, expected packet count for %s is 0!" % name)
        return count

    def get_capture(self, expected_count=None, remark=None, timeout=1, filter_out_fn=is_ipv6_misc):
        """The packets captured, which have to be that many; without a number, as many as there are infos for.

        Packets of which filter_out_fn is true do not count. What is not as expected is a CaptureError (an
        AssertionError).
        """
        name = self.name if remark is None else "%s (%s)" % (self.name, remark)
        if expected_count is None:
            expected_count = self._expected(name)
        self.test.logger.debug("Expecting to capture %s packets on %s", expected_count, name)
        if expected_count == 0:
            frames = self.test.bed.collect(self._port, 0, _filter(filter_out_fn), timeout)
            if frames:
                self.test.logger.error(ppc("Unexpected packets captured:", frames))
                self.generate_debug_aid("count-mismatch")
                raise _vtpacket.CaptureError(
                    "Captured packets mismatch, captured %d packets, expected 0 packets on %s: %s"
                    % (len(frames), name, "; ".join(map(_vtpacket.text, frames[:5]))))
            return Capture()
        try:
            return Capture(self.test.bed.get_capture(self._port, expected_count, _filter(filter_out_fn), timeout))
        except _vtpacket.CaptureError:
            self.generate_debug_aid("stack")
            raise

    def assert_nothing_captured(self, remark=None, filter_out_fn=is_ipv6_misc, timeout=0):
        """Nothing but what is filtered out has come since enable_capture(), nor comes within `timeout`."""
        self.test.bed.assert_nothing_captured(self._port, remark or "", _filter(filter_out_fn), timeout)

    def wait_for_capture_file(self, timeout=1):
        """True once something has been captured."""
        return os.path.isfile(self.out_path) or self.test.bed.has_captured(self._port, timeout)

    def wait_for_packet(self, timeout, filter_out_fn=is_ipv6_misc):
        """The next packet. Raises CaptureTimeoutError."""
        frames = self.test.bed.next_frame(self._port, _filter(filter_out_fn), timeout)
        if not frames:
            raise CaptureTimeoutError("Packet didn't arrive within timeout (%s s on %s)" % (timeout, self.name))
        return Capture(frames)[0]

    def create_arp_req(self):
        """A question (operation 1 of RFC 826) for the daemon's MAC."""
        from scapy.layers.l2 import ARP, Ether

        return Ether(dst="ff:ff:ff:ff:ff:ff", src=self.remote_mac) / ARP(
            op=1, pdst=self.local_ip4, psrc=self.remote_ip4, hwsrc=self.remote_mac)

    def create_ndp_req(self):
        """The same in IPv6."""
        from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
        from scapy.layers.l2 import Ether
        from scapy.utils6 import in6_getnsma, in6_getnsmac

        group = in6_getnsma(self.local_ip6n)
        return (
            Ether(dst=in6_getnsmac(group))
            / IPv6(dst=socket.inet_ntop(socket.AF_INET6, group), src=self.remote_ip6)
            / ICMPv6ND_NS(tgt=self.local_ip6)
            / ICMPv6NDOptSrcLLAddr(lladdr=self.remote_mac))

    def _ask(self, pg_interface, question):
        pg_interface.add_stream(question)
        pg_interface.enable_capture()
        self.test.pg_start()

    @staticmethod
    def _plain(packet):
        """The packet with an outer tag that scapy knows."""
        if packet.type != 0x88A8:
            return packet
        packet = packet.copy()
        packet.type = 0x8100
        return packet.__class__(bytes(packet))

    def resolve_arp(self, pg_interface=None):
        """Asks the daemon for its MAC; no answer is no error."""
        from scapy.layers.l2 import ARP

        pg_interface = pg_interface or self
        self._ask(pg_interface, self.create_arp_req())
        try:
            answer = self._plain(pg_interface.wait_for_packet(1))
        except CaptureTimeoutError:
            self.test.logger.info("No ARP received on port %s", pg_interface.name)
            return
        if not answer.haslayer(ARP):
            self.test.logger.error(ppp("Unexpected response to ARP request:", answer))
            raise Exception("the answer to the ARP request on %s is no ARP" % pg_interface.name)
        if answer[ARP].op == 2:
            self._local_mac = answer[ARP].hwsrc

    def resolve_ndp(self, pg_interface=None, timeout=1):
        """The same in IPv6, where other talk is passed over; no answer is an error."""
        from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr

        pg_interface = pg_interface or self
        self._ask(pg_interface, self.create_ndp_req())
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            answer = self._plain(pg_interface.wait_for_packet(end - time.monotonic(), filter_out_fn=None))
            if answer.haslayer(ICMPv6ND_NA) and answer.haslayer(ICMPv6NDOptDstLLAddr):
                self._local_mac = answer[ICMPv6NDOptDstLLAddr].lladdr
                return
            self.test.logger.info(ppp("Unexpected response to NDP request:", answer))
        raise CaptureTimeoutError("Timeout while waiting for NDP response")


__all__ = ["Capture", "CaptureTimeoutError", "VppPGInterface", "frames_of", "is_ipv6_misc", "is_scapy"]
