# SPDX-License-Identifier: GPL-2.0-or-later
"""Bootstrap with nothing to do: ours, by Avocado and by the binary itself, beside upstream's.

Each has a data directory that it bootstrapped before, with its guest image; upstream's run is the one that asks the network
nothing (--vt-no-downloads). Runs alternate; the table has medians of wall-clock and of processor time, which a busy machine
does not stretch, and the ratio to upstream's.

    build/venv/bin/python3 tests/bench/bootstrap_bench.py [--runs N]

Needs `make build venv`; tools/peer.sh makes upstream's environment.
"""

import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
# What upstream looks for and refuses to go on without.
UPSTREAM_PROGRAMS = ("xz", "tcpdump", "nc", "ip", "arping", "diff", "gcc")


class World:
    """A home and an Avocado configuration."""

    def __init__(self, root, path):
        self.root = root
        (root / "home").mkdir(parents=True)
        (root / "avocado.conf").write_text(
            f"[datadir.paths]\nbase_dir = {root}\ntest_dir = {root}/tests\ndata_dir = {root}/data\n"
            f"logs_dir = {root}/results\ncache_dirs = ['{root}/cache']\n")
        self.environment = {**os.environ, "HOME": str(root / "home"), "PATH": path}
        self.environment.setdefault("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))

    def run(self, *command, check=True):
        start, used = time.monotonic(), processor_time()
        done = subprocess.run([str(word) for word in command], env=self.environment, cwd=self.root,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise SystemExit(f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        return time.monotonic() - start, processor_time() - used


def processor_time():
    """Of all children that have ended, in seconds."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def stand_ins(directory):
    """Links that upstream's look for programs finds where this host lacks one; it only looks whether they are there."""
    directory.mkdir()
    missing = [name for name in UPSTREAM_PROGRAMS if shutil.which(name) is None]
    for name in missing:
        (directory / name).symlink_to("/bin/true")
    return missing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vt-bench-") as scratch:
        scratch = pathlib.Path(scratch)
        missing = stand_ins(scratch / "bin")
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        ours = World(scratch / "ours", f"{BUILD}/release/bin:{path}")
        upstream = World(scratch / "upstream", f"{path}:{scratch / 'bin'}")
        runner = BUILD / "release/bin/avocado-runner-vt"
        commands = {
            "avocado vt-bootstrap": (ours, BUILD / "venv/bin/avocado", "--config", ours.root / "avocado.conf",
                                     "vt-bootstrap", "--vt-type", "qemu"),
            "avocado-runner-vt bootstrap": (ours, runner, "bootstrap", "--data-dir", ours.root / "data/avocado-vt"),
            "avocado plugins": (ours, BUILD / "venv/bin/avocado", "--config", ours.root / "avocado.conf", "plugins"),
            "upstream vt-bootstrap": (upstream, BUILD / "peer/bin/avocado", "--config",
                                      upstream.root / "avocado.conf", "vt-bootstrap", "--vt-type", "qemu",
                                      "--vt-no-downloads", "--yes-to-all"),
        }
        first = {name: world.run(*command) for name, (world, *command) in commands.items()}
        times = {name: [] for name in commands}
        for _ in range(options.runs):
            for name, (world, *command) in commands.items():
                times[name].append(world.run(*command))
        def medians(name):
            return [statistics.median(values) for values in zip(*times[name])]

        reference = medians("upstream vt-bootstrap")
        print(f"{'bootstrap with nothing to do':30} {'first, s':>9} {'again, s':>9} {'upstream/it':>11} {'CPU, s':>8} "
              f"{'upstream/it':>11}")
        for name in times:
            wall, cpu = medians(name)
            print(f"{name:30} {first[name][0]:9.3f} {wall:9.3f} {reference[0] / wall:11.1f} {cpu:8.3f} "
                  f"{reference[1] / cpu:11.1f}")
        print("('avocado plugins' is what Avocado itself takes to start)")
        if missing:
            print(f"Not on this host, so stood in for where upstream looks for them: {', '.join(missing)}")


if __name__ == "__main__":
    main()
