# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP drivers against Testplan's: importing them, 10,000 round trips of 64 bytes, 500 clients at once.

    python3 tests/bench/driver_bench.py [--build build/release] [--peer PYTHON] [--runs 3]

--peer is a Python that has Testplan (TESTPLAN_PEER); without one only our figures are printed. Each figure is the best of some
runs, taken in turn. Nothing gates.

A round trip is four system calls whoever makes them, so beside both stands what they take with nothing around them: of two
sockets in C++ (build/release/tests/driver_bench, if that was built) and of two sockets of Python's.
"""

import argparse
import json
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

IMPORT = """
import json, sys, time
known, begun = len(sys.modules), time.process_time()
from testplan.testing.multitest.driver.tcp import TCPClient, TCPServer
print(json.dumps({"seconds": time.process_time() - begun, "modules": len(sys.modules) - known}))
"""
ROUND_TRIPS = """
import json, tempfile, time
from testplan.testing.multitest.driver.tcp import TCPClient, TCPServer
message, trips = b"x" * 64, 10000
with tempfile.TemporaryDirectory() as place:
    with TCPServer("server", runpath=place + "/s") as server, TCPClient("client", server.host, server.port, runpath=place + "/c") as client:
        server.accept_connection()
        begun = time.perf_counter()
        for _ in range(trips):
            client.send(message)
            server.send(server.receive(64))
            client.receive(64)
        print(json.dumps({"seconds": time.perf_counter() - begun}))
"""
SOCKETS = """
import json, socket, time
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
for each in (client, server):
    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
message, trips = b"x" * 64, 10000
begun = time.perf_counter()
for _ in range(trips):
    client.send(message)
    server.send(server.recv(64))
    client.recv(64)
print(json.dumps({"seconds": time.perf_counter() - begun}))
"""
CLIENTS = """
import json, tempfile, time
from testplan.testing.multitest.driver.tcp import TCPClient, TCPServer
with tempfile.TemporaryDirectory() as place, TCPServer("server", runpath=place + "/s") as server:
    begun = time.perf_counter()
    clients = [TCPClient(f"c{i}", server.host, server.port, runpath=f"{place}/c{i}") for i in range(500)]
    for client in clients:
        client.start()
        client.wait(client.STATUS.STARTED)
        server.accept_connection()
    for client in clients:
        client.send(b"x" * 64)
    assert all(server.receive(64, conn_idx=i) for i in range(500))
    print(json.dumps({"seconds": time.perf_counter() - begun}))
    for client in clients:
        client.stop()
"""


def measured(python, environment, program):
    """What the program prints, or None if it fails."""
    done = subprocess.run([python, "-c", program], env=environment, check=False, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return {"failed": done.stderr.strip().splitlines()[-1][:80] if done.stderr.strip() else "no word"}
    return json.loads(done.stdout.splitlines()[-1])


def print_floor(arguments, environment):
    """What a round trip takes with nothing around the sockets."""
    words = []
    program = pathlib.Path(arguments.build) / "tests/driver_bench"
    if program.exists():
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines()
        words += ["{} {} s".format(*line.rsplit(" ", 1)) for line in lines]
    best = min(measured("/usr/bin/python3", environment, SOCKETS)["seconds"] for _ in range(arguments.runs))
    print(f"{'the same, bare':20} C++: {', '.join(words) or 'driver_bench is not built'}; Python's sockets {best:.3f} s", flush=True)


def main():
    """Prints a line for each piece of work."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.environ.get("VT_BUILD", ROOT / "build/release"))
    parser.add_argument("--modules", help="the directory of our modules, instead of the build's")
    parser.add_argument("--peer", default=os.environ.get("TESTPLAN_PEER"))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    modules = arguments.modules or pathlib.Path(arguments.build) / "lib/avocado-runner-vt/python"
    # Both sides have their modules compiled, as an installation has; the first run does it.
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    cache = str(pathlib.Path(arguments.build) / "bench-pycache")
    sides = {"ours": ("/usr/bin/python3", {**plain, "PYTHONPATH": str(modules), "PYTHONPYCACHEPREFIX": cache})}
    if arguments.peer:
        sides["testplan"] = (arguments.peer, plain)
    for what, program in (("import", IMPORT), ("10,000 round trips", ROUND_TRIPS), ("500 clients", CLIENTS)):
        best = {}
        for _ in range(arguments.runs):
            for side, (python, environment) in sides.items():
                found = measured(python, environment, program)
                if side not in best or found.get("seconds", 1e9) < best[side].get("seconds", 1e9):
                    best[side] = found
        words = [
            f"{side} {found['seconds']:.3f} s" + (f" ({found['modules']} modules)" if "modules" in found else "")
            if "seconds" in found
            else f"{side} fails: {found['failed']}"
            for side, found in best.items()
        ]
        if len(best) == 2 and all("seconds" in found for found in best.values()):
            words.append(f"{best['testplan']['seconds'] / best['ours']['seconds']:.1f} times as fast")
        print(f"{what:20} " + ", ".join(words), flush=True)
        if program is ROUND_TRIPS:
            print_floor(arguments, sides["ours"][1])


if __name__ == "__main__":
    main()
