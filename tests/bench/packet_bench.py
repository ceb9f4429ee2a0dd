# SPDX-License-Identifier: GPL-2.0-or-later
"""Packet tests against scapy: 10,000 frames of 64 to 1,500 bytes read from a capture, matched by info, checksums verified; the
same frames sent through Open vSwitch; the daemon's start to the first packet through.

    python3 tests/bench/packet_bench.py [--build build/release] [--peer PYTHON] [--frames N]

--peer is a Python that has scapy (SCAPY_PYTHON, default /usr/bin/python3); without scapy only our figures are printed. Both sides work
on the same capture in one run. Nothing gates.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

SWITCHED = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
import _vtpacket
from framework import VppTestCase

count, where = int(sys.argv[1]), sys.argv[2]
infos = _vtpacket.PacketInfos()

class Bench(VppTestCase):
    '''bench'''
    adapter_name = "ovs"

begun = time.perf_counter()
Bench.setUpClass()
try:
    a, b = Bench.create_pg_interfaces(range(2))
    ends = [(one.remote_mac, one.remote_ip4, 1000) for one in (a, b)]
    case = Bench()
    first = _vtpacket.udp_frame(*ends, b"first")
    Bench.pg_enable_capture()
    a.add_stream([first])
    Bench.pg_start()
    b.get_capture(1, timeout=10)
    up = time.perf_counter() - begun
    frames = []
    for number in range(count):
        infos.create(a.sw_if_index, b.sw_if_index, b.sw_if_index)
        payload = _vtpacket.info_to_payload(number, a.sw_if_index, b.sw_if_index, -1, -1).encode()
        frames.append(_vtpacket.extended(_vtpacket.udp_frame(*ends, payload), 64 + number % 1437, b" "))
    begun = time.perf_counter()
    Bench.pg_enable_capture()
    a.add_stream(frames)
    Bench.pg_start()
    rx = b.get_capture(count, timeout=60)
    complaint = infos.complaint(rx.frames, b.sw_if_index)
    switched = time.perf_counter() - begun
    assert not complaint, complaint
    _vtpacket.write_pcap(where, rx.frames)
    begun = time.perf_counter()
    complaint = infos.complaint(_vtpacket.read_pcap(where), b.sw_if_index)
    read = time.perf_counter() - begun
    assert not complaint, complaint
finally:
    Bench.tearDownClass()
print(json.dumps({"up": up, "switched": switched, "read": read, "src": a.sw_if_index, "dst": b.sw_if_index}))
"""
SCAPY = """
import json, sys, time
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import rdpcap
count, where, src, dst = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
begun = time.perf_counter()
capture = rdpcap(where)
read = time.perf_counter() - begun
seen = set()
for packet in capture:
    numbers = [int(word) for word in packet[Raw].load.split()]
    assert (numbers[1], numbers[2]) == (src, dst)
    seen.add(numbers[0])
matched = time.perf_counter() - begun
for packet in capture:
    received = packet.__class__(bytes(packet))
    bare = received.copy()
    del bare[IP].chksum, bare[UDP].chksum
    built = bare.__class__(bytes(bare))
    assert (built[IP].chksum, built[UDP].chksum) == (received[IP].chksum, received[UDP].chksum)
assert len(seen) == count
print(json.dumps({"read": read, "matched": matched, "verified": time.perf_counter() - begun}))
"""


def measured(python, program, environment, *words):
    """What the program prints; None where it fails."""
    done = subprocess.run(
        [python, "-c", program, *map(str, words)], env=environment, check=False, capture_output=True, text=True, timeout=900)
    if done.returncode:
        print("fails: " + (done.stderr.strip().splitlines() or ["no word"])[-1][:200])
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Prints a line for each piece of work."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.environ.get("VT_BUILD", ROOT / "build/release"))
    parser.add_argument("--modules", help="the directory of our modules, instead of the build's")
    parser.add_argument("--peer", default=os.environ.get("SCAPY_PYTHON", "/usr/bin/python3"))
    parser.add_argument("--frames", type=int, default=10000)
    arguments = parser.parse_args()
    modules = arguments.modules or pathlib.Path(arguments.build) / "lib/avocado-runner-vt/python"
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as place:
        where = pathlib.Path(place) / "capture.pcap"
        ours = measured(
            "/usr/bin/python3", SWITCHED, {**plain, "PYTHONPATH": f"{modules}:{modules}/_packet", "TMPDIR": place},
            arguments.frames, where)
        if ours is None:
            return
        print(f"daemon's start to the first packet through   {ours['up']:.3f} s")
        print(f"{arguments.frames} frames sent, switched, captured, matched, verified   {ours['switched']:.3f} s")
        peer = measured(arguments.peer, SCAPY, plain, arguments.frames, where, ours["src"], ours["dst"])
        print(f"read, matched, verified: ours {ours['read']:.3f} s", end="")
        if peer is None:
            print()
            return
        print(f", scapy {peer['verified']:.3f} s (reading {peer['read']:.3f} s): {peer['verified'] / ours['read']:.0f} times as fast")
        print(f"with switching: {peer['verified'] / ours['switched']:.0f} times as fast as scapy without it")


if __name__ == "__main__":
    main()
