# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of packet tests: printing packets, addresses, cores, hosts, fragments. scapy is imported when it is needed."""

import abc
import io
import os
import socket
from contextlib import redirect_stdout

import _vtpacket


def is_scapy(packet):
    """True for a packet of scapy's; bytes are none."""
    return hasattr(packet, "haslayer")


def ppp(headline, packet):
    """The headline, the bytes and the layers of a packet, as text."""
    if not is_scapy(packet):
        return "%s\n%s\n%s\n" % (headline, _vtpacket.text(packet), packet.hex(" "))
    from scapy.utils import hexdump

    text = io.StringIO()
    with redirect_stdout(text):
        print(headline)
        hexdump(packet)
        print()
        packet.show()
    return text.getvalue()


def ppc(headline, capture, limit=10):
    """The same of the first packets of a capture."""
    if not capture:
        return headline
    body = "".join(ppp("Packet #%d:" % number, packet) for number, packet in zip(range(limit), capture))
    more = "" if len(capture) <= limit else "\nPrint limit reached, %s out of %s packets printed" % (limit, len(capture))
    return "%s\n%s%s" % (headline, body, more)


def mac_pton(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_ntop(mac):
    return ":".join("%02x" % byte for byte in mac[:6])


def ip4_range(ip4, s, e):
    net = ip4.rsplit(".", 1)[0]
    return ("%s.%d" % (net, number) for number in range(s, e))


def ip4n_range(ip4n, s, e):
    return (socket.inet_pton(socket.AF_INET, ip) for ip in ip4_range(socket.inet_ntop(socket.AF_INET, ip4n), s, e))


def mk_ll_addr(mac):
    """The IPv6 link-local address of a MAC (RFC 4291, appendix A)."""
    one = mac_pton(mac)
    packed = b"\xfe\x80" + bytes(6) + bytes([one[0] ^ 2]) + one[1:3] + b"\xff\xfe" + one[3:]
    return socket.inet_ntop(socket.AF_INET6, packed)


def ip6_normalize(ip6):
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, ip6))


def get_core_pattern():
    return _vtpacket.core_pattern()


def get_core_path(tempdir):
    """Where a core in that directory would lie; where the pattern has words in it, the one that is there."""
    pattern = os.path.join(tempdir, get_core_pattern())
    directory, name = os.path.split(pattern)
    stem = name.split("%", 1)[0]
    if "%" in name and os.path.isdir(directory):
        found = sorted(entry for entry in os.listdir(directory) if entry.startswith(stem))
        if stem and found:
            return os.path.join(directory, found[0])
    return pattern


def is_core_present(tempdir):
    return os.path.isfile(get_core_path(tempdir))


def check_core_path(logger, core_path):
    """Warns where a program takes the cores."""
    pattern = get_core_pattern()
    if pattern.startswith("|"):
        logger.error("cores go through a program (%s), which may truncate them: %s", pattern, core_path)


class NumericConstant(abc.ABC):
    """A number with a name; `desc_dict` has the names."""

    desc_dict = {}

    @abc.abstractmethod
    def __init__(self, value):
        self._value = value

    def __int__(self):
        return self._value

    def __str__(self):
        return self.desc_dict.get(self._value, "")


class Host:
    """A host behind an interface of the daemon's."""

    def __init__(self, mac=None, ip4=None, ip6=None, ip6_ll=None):
        self.mac = mac
        self.ip4 = ip4
        self.ip6 = ip6
        self.ip6_ll = ip6_ll

    @property
    def bin_mac(self):
        return mac_pton(self.mac)

    @property
    def ip4n(self):
        return socket.inet_pton(socket.AF_INET, self.ip4)

    @property
    def ip6n(self):
        return socket.inet_pton(socket.AF_INET6, self.ip6)

    @property
    def ip6n_ll(self):
        return socket.inet_pton(socket.AF_INET6, self.ip6_ll)

    def _key(self):
        return self.mac, self.ip4, self.ip6, self.ip6_ll

    def __eq__(self, other):
        return isinstance(other, Host) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return "Host { mac:%s ip4:%s ip6:%s ip6_ll:%s }" % self._key()


class ForeignAddressFactory:
    """Addresses of a network that no interface has."""

    count = 0
    prefix_len = 24
    net_template = "10.10.10.{}"
    net = net_template.format(0) + "/" + str(prefix_len)

    def get_ip4(self):
        if self.count > 255:
            raise Exception("Network host address exhaustion")
        self.count += 1
        return self.net_template.format(self.count)


class L4_CONN_SIDE:
    L4_CONN_SIDE_ZERO = 0
    L4_CONN_SIDE_ONE = 1


class L4_Conn:
    """A TCP or UDP conversation between two interfaces."""

    def __init__(self, testcase, if1, if2, af, l4proto, port1, port2):
        self.testcase = testcase
        self.ifs = [if1, if2]
        self.address_family = af
        self.l4proto = l4proto
        self.ports = [port1, port2]

    def pkt(self, side, l4args=None, payload="x"):
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6
        from scapy.layers.l2 import Ether
        from scapy.packet import Raw

        src, dst = self.ifs[side], self.ifs[1 - side]
        if self.address_family == socket.AF_INET6:
            network = IPv6(src=src.remote_ip6, dst=dst.remote_ip6)
        else:
            network = IP(src=src.remote_ip4, dst=dst.remote_ip4)
        fields = {"sport": self.ports[side], "dport": self.ports[1 - side], **(l4args or {})}
        return Ether(dst=src.local_mac, src=src.remote_mac) / network / self.l4proto(**fields) / Raw(payload)

    def send(self, side, flags=None, payload=""):
        l4args = {} if flags is None else {"flags": flags}
        self.ifs[side].add_stream(self.pkt(side, l4args=l4args, payload=payload))
        self.ifs[1 - side].enable_capture()
        self.testcase.pg_start()

    def recv(self, side):
        return self.ifs[side].wait_for_packet(1)

    def send_through(self, side, flags=None, payload=""):
        self.send(side, flags, payload)
        return self.recv(1 - side)

    def send_pingpong(self, side, flags1=None, flags2=None):
        return [self.send_through(side, flags1), self.send_through(1 - side, flags2)]


def _rebuilt(packet):
    """The packet taken apart anew, every field as its bytes have it."""
    return packet.__class__(bytes(packet))


def _copied_options(options):
    """Of an IPv4 header's options those that every fragment repeats (their first bit is set), filled up to words."""
    kept = b""
    while options and options[0] != 0:
        length = 1 if options[0] == 1 else options[1] if len(options) > 1 else 0
        if not 1 <= length <= len(options) or (length == 1 and options[0] != 1):
            raise Exception("IP option %d has length %d, with %d bytes left" % (options[0], length, len(options)))
        if options[0] & 0x80:
            kept += options[:length]
        options = options[length:]
    return kept + bytes(-len(kept) % 4)


def fragment_rfc791(packet, fragsize, _logger=None):
    """Cuts an IPv4 packet into fragments of at most `fragsize` bytes each, headers included (RFC 791)."""
    from scapy.layers.inet import IP

    packet = _rebuilt(packet)
    if len(packet) <= fragsize:
        return [packet]
    network = packet[IP]
    before = len(packet) - len(network)
    raw = bytes(packet)
    below, first = raw[:before], raw[before : before + network.ihl * 4]
    later = first[:20] + _copied_options(first[20:])
    data = raw[before + len(first) : before + network.len]
    fragments = []
    offset = 0
    while offset < len(data):
        header = later if offset else first
        step = (fragsize - before - len(header)) // 8 * 8
        if step <= 0:
            raise Exception("a fragment of %d bytes has no place for data" % fragsize)
        piece = data[offset : offset + step]
        one = packet.__class__(below + bytes([0x40 | len(header) // 4]) + header[1:] + piece)
        one[IP].flags = network.flags if offset + step >= len(data) else "MF"
        one[IP].frag = network.frag + offset // 8
        one[IP].len = len(header) + len(piece)
        del one[IP].chksum
        fragments.append(_rebuilt(one))
        offset += step
    return fragments


def fragment_rfc8200(packet, identification, fragsize, _logger=None):
    """Cuts an IPv6 packet into fragments (RFC 8200, 4.5): what every fragment repeats, and the rest in pieces."""
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting
    from scapy.packet import Raw

    packet = _rebuilt(packet)
    if len(packet) <= fragsize:
        return [packet]
    if packet.haslayer(IPv6ExtHdrFragment):
        raise Exception("Already fragmented")
    last = packet[IPv6]
    for kind in (IPv6ExtHdrHopByHop, IPv6ExtHdrRouting):
        last = packet[kind] if packet.haslayer(kind) else last
    if not bytes(last.payload):
        raise Exception("Upper layer header not found in IPv6 packet")
    data, upper = bytes(last.payload), last.nh
    repeated = packet.copy()
    tail = repeated[last.__class__]
    tail.remove_payload()
    tail.nh = 44
    step = (fragsize - len(repeated) - 8) // 8 * 8
    if step <= 0:
        raise Exception("Cannot fragment this packet - MTU too small (%s)" % fragsize)
    fragments = []
    for offset in range(0, len(data), step):
        more = int(offset + step < len(data))
        header = IPv6ExtHdrFragment(nh=upper, id=identification, offset=offset // 8, m=more)
        one = repeated.copy() / header / Raw(data[offset : offset + step])
        del one[IPv6].plen
        fragments.append(_rebuilt(one))
    return fragments


def reassemble4_core(listoffragments, return_ip):
    """The IPv4 packet that fragments, in any order, are parts of."""
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether

    first = min(listoffragments, key=lambda fragment: fragment[IP].frag).copy()
    data = bytearray()
    for fragment in listoffragments:
        payload = bytes(fragment[IP].payload)[: fragment[IP].len - fragment[IP].ihl * 4]
        begin = fragment[IP].frag * 8
        data.extend(bytes(max(0, begin + len(payload) - len(data))))
        data[begin : begin + len(payload)] = payload
    header = first[IP].ihl * 4
    first[IP].len = len(data) + header
    first[IP].flags = 0
    del first[IP].chksum
    outer = first[IP] if return_ip else first[Ether]
    kept = header if return_ip else len(first) - len(first[IP]) + header
    return outer.__class__(bytes(outer)[:kept] + bytes(data))


def reassemble4_ether(listoffragments):
    return reassemble4_core(listoffragments, False)


def reassemble4(listoffragments):
    return reassemble4_core(listoffragments, True)
