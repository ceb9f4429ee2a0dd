# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills runs of block tests at random moments and looks at what is left.

A run is `avocado-runner-vt iotests -j 2` with three scripts (one with two machines, one with servers, one that hangs), a
random delay behind the start of its first machine, and a signal to the command, a script, a machine, or all of them, drawn
from a seed and the run's number.

    iotests_soak.py [--seed N] [--runs N] [--from NUMBER]
"""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from jobs import BUILD, command_line, processes_with  # noqa: E402

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
GONE_WITHIN = 10
SCRIPTS = {
    "machines": """
        import iotests
        img = iotests.file_path('img')
        iotests.qemu_img_create('-f', iotests.imgfmt, img, '16M')
        for _ in range(3):
            with iotests.VM('a') as a, iotests.VM('b') as b:
                a.add_drive(img)
                a.launch()
                b.launch()
                for n in range(20):
                    a.hmp_qemu_io('drive0', 'write %dk 64k' % (n * 64))
                    b.qmp('query-status')
        """,
    "servers": """
        import iotests
        img, sock = iotests.file_path('img'), iotests.file_path('nbd', base_dir=iotests.sock_dir)
        iotests.qemu_img_create('-f', iotests.imgfmt, img, '16M')
        for _ in range(5):
            with iotests.qemu_nbd_popen('-k', sock, '-f', iotests.imgfmt, img):
                iotests.qemu_io('-f', 'raw', '-c', 'write 0 1M', 'nbd+unix:///?socket=' + sock)
            iotests.qemu_nbd('-k', sock + '2', '-f', iotests.imgfmt, img)
            daemon = iotests.QemuStorageDaemon('--blockdev', 'null-co,node-name=n', qmp=True)
            daemon.qmp('query-block-exports')
            daemon.stop()
        """,
    "hangs": """
        import signal
        import iotests
        vm = iotests.VM('c')
        vm.launch()
        signal.pause()
        """,
}


def name_of(pid):
    """A process's name; None if it has just ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


class Run:
    """One run under attack."""

    def __init__(self, root, number):
        self.dir = root / f"run-{number}-"
        (self.dir / "tmp").mkdir(parents=True)
        self.mark = f"VT_SOAK_DIR={self.dir}\0"
        environment = {
            **os.environ, "VT_SOAK_DIR": str(self.dir), "TMPDIR": str(self.dir / "tmp"),
            "AVOCADO_VT_RUNTIME_DIR": str(root / "r"),
        }
        self.process = subprocess.Popen(
            [BUILD / "bin/avocado-runner-vt", "iotests", "-qcow2", "-j", "3", "--results", self.dir / "results", *SCRIPTS],
            cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def processes(self, word=""):
        return [pid for pid in processes_with(self.mark) if word in command_line(pid)]

    def reach(self, word, delay):
        """Waits until there is such a process, or was and has been missed; false if the run ends before."""
        end = time.monotonic() + 3
        while not self.processes(word) and time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            time.sleep(0.005)
        time.sleep(delay)
        return self.process.poll() is None

    def attack(self, target, number):
        if target == "command":
            victims = [self.process.pid]
        elif target == "all but the sweeper":
            victims = [pid for pid in self.processes() if "iotest" in command_line(pid) or "qemu" in command_line(pid)]
            victims = [pid for pid in victims if name_of(pid) != "vt-sweeper"]
        else:
            victims = self.processes(target)[:1]
        for pid in victims:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def end(self):
        """Tells the command to end, if it does not by itself within a moment (one script hangs)."""
        for number in (TERM, KILL):
            try:
                self.process.wait(timeout=3 if number == TERM else 30)
                return
            except subprocess.TimeoutExpired:
                self.process.send_signal(number)
        self.process.wait()


def one(root, number, seed):
    """A run from its start to the verdict: its complaints."""
    rng = random.Random(f"{seed}-{number}")
    phase = rng.choice(("iotests", "iotest.py", "qemu-img", "qemu-system", "qemu-system", "qemu-nbd"))
    target = rng.choice(("command", "command", "all but the sweeper", "iotest.py", "qemu-system", "qemu-nbd"))
    signal_number = rng.choice((KILL, KILL, TERM, INT))
    run = Run(root, number)
    if run.reach(phase, rng.random() * 0.8):
        run.attack(target, signal_number)
    run.end()
    end = time.monotonic() + GONE_WITHIN
    while (run.processes() or list((run.dir / "tmp").iterdir())) and time.monotonic() < end:
        time.sleep(0.02)
    left = [command_line(pid) for pid in run.processes()]
    left += [str(path) for path in (run.dir / "tmp").iterdir()]
    left += [str(path) for path in (root / "r").glob("io-*")]
    for pid in run.processes():
        os.kill(pid, KILL)
    shutil.rmtree(run.dir, ignore_errors=True)
    return [f"run {number} ({phase}, {target}, {signal_number.name}): {what} is left" for what in left]


def campaign(seed, runs, first=0):
    """The complaints of so many runs."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="vt-is-"))
    try:
        (root / "common.rc").write_text("")
        for name, text in SCRIPTS.items():
            (root / name).write_text("#!/usr/bin/env python3\n" + textwrap.dedent(text))
            (root / f"{name}.out").write_text("")
        (root / "r").mkdir(mode=0o700)
        for number in range(first, first + runs):
            yield from one(root, number, seed)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", default="1")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--from", dest="first", type=int, default=0)
    arguments = parser.parse_args()
    count = 0
    for complaint in campaign(arguments.seed, arguments.runs, arguments.first):
        count += 1
        print(complaint, flush=True)
    print(f"{arguments.runs} runs, {count} complaints")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
