# SPDX-License-Identifier: GPL-2.0-or-later
"""A hub: frames from a pipe (interface, length, bytes) go to the captures of all other interfaces."""

import os
import signal
import struct
import sys

how = sys.argv[1] if len(sys.argv) > 1 else ""
if how == "exit":
    sys.exit("no configuration")
if how == "silent":
    signal.pause()
if how == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.mkfifo("hub.in")
files = [open("hub%d.pcap" % number, "wb", buffering=0) for number in range(3)]
for file in files:
    file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
pipe = os.open("hub.in", os.O_RDWR)
print("ready", flush=True)
if how == "stubborn":
    for number in range(200001):
        print("line %d" % number)
    sys.stdout.flush()
while True:
    port, length = struct.unpack(">BH", os.read(pipe, 3))
    frame = os.read(pipe, length)
    record = struct.pack("<IIII", 0, 0, length, length) + frame
    for number, file in enumerate(files):
        if number != port:
            file.write(record * 3 if how == "endless" else record)
