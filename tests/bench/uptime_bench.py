# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runner adds to an uptime test, and how soon the built guest answers.

Runs the test and, alternated with it, a bare script that starts the very same QEMU command line, logs in over SSH, runs
`uptime` and sends system_powerdown. Prints the medians and their difference (the runner's own share).

    build/venv/bin/python3 tests/bench/uptime_bench.py [--runs N] [--guest JeOS.mini-direct]

Needs what `make demo` makes; installs paramiko into build/bench for the bare script.
"""

import argparse
import json
import pathlib
import re
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PASSWORD = "123456"


def import_paramiko():
    site = BUILD / "bench"
    if not (site / "paramiko").exists():
        subprocess.run([BUILD / "venv/bin/pip", "install", "-q", "--target", site, "paramiko"], check=True)
    sys.path.insert(0, str(site))
    import paramiko  # pylint: disable=import-outside-toplevel

    return paramiko


def write_recipe(guest, directory):
    """Resolves `uptime` through Avocado and returns the recipe file of its runnable."""
    options = ["--vt-guest-os", guest] if guest else []
    subprocess.run(
        [BUILD / "avocado", "list", "--vt-type", "qemu", *options, "--write-recipes-to-directory", directory, "uptime"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (recipe,) = [path for path in pathlib.Path(directory).rglob("*.json")]
    return recipe


def logged_command_line(guest):
    """Runs the test once under Avocado and returns QEMU's command line as its log shows it."""
    options = ["--vt-guest-os", guest] if guest else []
    subprocess.run(
        [BUILD / "avocado", "run", "--vt-type", "qemu", *options, "uptime"], check=True, stdout=subprocess.DEVNULL
    )
    log = next((BUILD / "job-results/latest/test-results").glob("1-*/debug.log")).read_text()
    return re.search(r"Running qemu command:\n.*?INFO \| (.*)\n", log).group(1)


def run_test(recipe):
    """Seconds of one run of the test by the runner alone."""
    begin = time.monotonic()
    done = subprocess.run(
        [BUILD / "avocado-runner-vt", "runnable-run-recipe", recipe], check=True, capture_output=True, text=True
    )
    elapsed = time.monotonic() - begin
    if "'result': 'pass'" not in done.stdout and '"result": "pass"' not in done.stdout:
        sys.exit(f"the test did not pass:\n{done.stdout[-3000:]}")
    return elapsed


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command_line(line, directory, port):
    """QEMU's command line with sockets in `directory` and the forwarded port `port`."""
    line = re.sub(r"/[^\s=,]*/job-\w+/vm-\w+", str(directory), line)
    line = re.sub(r"hostfwd=tcp:127\.0\.0\.1:\d+", f"hostfwd=tcp:127.0.0.1:{port}", line)
    return shlex.split(line)


class Qmp:
    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                time.sleep(0.005)
        self._file = self._socket.makefile("rw")
        self._file.readline()
        self.command("qmp_capabilities")

    def command(self, name):
        self._file.write(json.dumps({"execute": name}) + "\n")
        self._file.flush()
        while "return" not in json.loads(self._file.readline()):
            pass


def await_banner(port):
    """Seconds do not matter here, only that no connection that came too early is waited on: one more every 0.2 s."""
    pending = []
    while True:
        pending.append(socket.create_connection(("127.0.0.1", port)))
        pending[-1].settimeout(0.001)
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            for connection in list(pending):
                try:
                    if connection.recv(4, socket.MSG_PEEK).startswith(b"SSH-"):
                        return connection
                    pending.remove(connection)
                except TimeoutError:
                    pass
                except OSError:
                    pending.remove(connection)
            if not pending:
                time.sleep(0.01)


def run_bare(paramiko, line):
    """Seconds of the same by hand: to the login, and in all."""
    with tempfile.TemporaryDirectory(prefix="vt-bench-") as directory:
        port = free_port()
        argv = command_line(line, directory, port)
        begin = time.monotonic()
        qemu = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        monitor = Qmp(pathlib.Path(directory) / "monitor-qmpmonitor1")
        monitor.command("cont")
        connection = await_banner(port)
        connection.settimeout(30)
        transport = paramiko.Transport(connection)
        transport.connect(username="root", password=PASSWORD)
        channel = transport.open_session()
        channel.exec_command("uptime")
        channel.makefile().read()
        login = time.monotonic() - begin
        monitor.command("system_powerdown")
        qemu.wait()
        elapsed = time.monotonic() - begin
        transport.close()
        return login, elapsed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--guest", default="")
    arguments = parser.parse_args()
    paramiko = import_paramiko()
    with tempfile.TemporaryDirectory(prefix="vt-bench-") as directory:
        recipe = write_recipe(arguments.guest, directory)
        line = logged_command_line(arguments.guest)
        tests, bares, logins = [], [], []
        for _ in range(arguments.runs):
            tests.append(run_test(recipe))
            login, elapsed = run_bare(paramiko, line)
            logins.append(login)
            bares.append(elapsed)
    print(f"guest {arguments.guest or 'default'}, {arguments.runs} alternated runs, medians in seconds")
    print(f"  QEMU's exec to `uptime` over SSH, bare script  {statistics.median(logins):6.2f}")
    print(f"  bare script, whole                             {statistics.median(bares):6.2f}")
    print(f"  the test                                       {statistics.median(tests):6.2f}")
    print(f"  the runner's own share                         {statistics.median(tests) - statistics.median(bares):6.2f}")


if __name__ == "__main__":
    main()
