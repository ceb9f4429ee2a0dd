# SPDX-License-Identifier: GPL-2.0-or-later
"""The Cartesian engine against upstream's parser, in one run.

    python3 tests/bench/cfg_bench.py [--build build/release] [--corpus DIR] [--peer SITE-PACKAGES] [--runs 3] [--wide]

Each line is one row of the table: ours, upstream, the ratio, the goal. Both sides are measured in processor seconds of a
process of their own, so that a busy machine disturbs neither. Then cost against size: 1, 10, 100 thousand dictionaries.
Exit status 1 if a goal is missed.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

UPSTREAM = """
import importlib.util, itertools, json, logging, resource, sys, time
spec = importlib.util.spec_from_file_location("upstream", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
parser = module.Parser(sys.argv[2])
for statement in sys.argv[4:]:
    parser.parse_string(statement)
count = sum(1 for _ in itertools.islice(parser.get_dicts(), int(sys.argv[3]) or None))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"count": count, "processor": time.process_time(), "kib": usage.ru_maxrss}))
"""


def timed(command, **options):
    """A process's processor seconds."""
    before = os.times()
    subprocess.run(command, check=True, **options)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


class Bench:
    """Runs the rows and remembers whether all goals were met."""

    def __init__(self, options):
        self.build = pathlib.Path(options.build)
        self.corpus = pathlib.Path(options.corpus)
        self.module = pathlib.Path(options.peer) / "virttest/cartesian_config.py"
        self.runs = options.runs
        self.missed = []

    def ours(self, what, file, argument=""):
        command = [str(self.build / "tests/cfg_expand_bench"), what, str(file)] + ([argument] if argument else [])
        results = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                   for _ in range(self.runs)]
        return min(results, key=lambda result: result["processor"])

    def upstream(self, file, limit=0, statements=()):
        command = [sys.executable, "-c", UPSTREAM, str(self.module), str(file), str(limit), *statements]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def row(self, title, text, good, goal):
        print("%-46s %-62s goal %-28s %s" % (title, text, goal, "ok" if good else "MISSED"), flush=True)
        if not good:
            self.missed.append(title)

    def ratio_row(self, title, ours, theirs, goal, more=""):
        ratio = theirs / ours
        text = "%.1f ms, upstream %.0f ms: %.0f times%s" % (ours * 1000, theirs * 1000, ratio, more)
        self.row(title, text, ratio >= goal, "%d times" % goal)

    def suite(self):
        """The ordinary suite: all dictionaries, as jsonl, one reference, one dictionary from the cache."""
        file = self.corpus / "list.cfg"
        theirs = self.upstream(file)
        ours = self.ours("dicts", file)
        assert ours["count"] == theirs["count"], (ours, theirs)
        mib = ours["kib"] / 1024
        self.ratio_row("list.cfg: all dictionaries", ours["processor"], theirs["processor"], 100,
                       ", %.0f MiB against %.0f" % (mib, theirs["kib"] / 1024))
        self.row("list.cfg: memory", "%.1f MiB" % mib, mib <= 40, "40 MiB")
        runner = str(self.build / "bin/avocado-runner-vt")
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "out"), "wb") as out:
                written = min(timed([runner, "cfg", str(file), "--format", "jsonl"], stdout=out)
                              for _ in range(self.runs))
        self.ratio_row("list.cfg: jsonl to a file, whole process", written, theirs["processor"], 50)
        one = min(timed([runner, "cfg", str(file), "--only", "boot"], stdout=subprocess.DEVNULL)
                  for _ in range(self.runs))
        # A whole process on either side: upstream's own command, as its users type it.
        theirs_one = min(timed([sys.executable, str(self.module), str(file), "only boot"], stdout=subprocess.DEVNULL)
                         for _ in range(self.runs))
        self.ratio_row("list.cfg --only boot, whole process", one, theirs_one, 20)
        with tempfile.TemporaryDirectory() as directory:
            cache = os.path.join(directory, "cache")
            self.ours("load", file, cache)
            loaded = self.ours("load", file, cache)
        self.row("list.cfg: from the compiled cache", "%.1f ms, %.1f ms without" % (
            loaded["processor"] * 1000, self.ours("parse", file)["processor"] * 1000), loaded["processor"] < 0.01,
            "10 ms")

    def wide(self):
        """601,443 dictionaries."""
        file = self.corpus / "wide.cfg"
        theirs = self.upstream(file, 2000)
        rate = 2000 / theirs["processor"]
        for what, goal in (("names", 100000), ("dicts", 30000)):
            ours = self.ours(what, file)
            speed = ours["count"] / ours["processor"]
            mib = ours["kib"] / 1024
            self.row("wide.cfg: %s" % what, "%d at %d/s, %.0f MiB; upstream %d/s with its parsing" % (
                ours["count"], speed, mib, rate), speed >= goal and mib <= 64, "%d/s, 64 MiB" % goal)

    def size(self):
        """Cost against size."""
        with tempfile.TemporaryDirectory() as directory:
            for count in (1000, 10000, 100000):
                file = pathlib.Path(directory) / ("%d.cfg" % count)
                lines = ["k%d = ${k%d}v" % (i, i - 1) for i in range(50)]
                for block in range(3):
                    lines.append("variants b%d:" % block)
                    size = 10 if block < 2 else count // 100
                    lines += ["  - v%d:\n    x%d = ${b%d}" % (i, block, block) for i in range(size)]
                file.write_text("\n".join(lines) + "\n", encoding="utf-8")
                ours = self.ours("dicts", file)
                print("%7d dictionaries: %8.1f ms, %.2f us each, %.1f MiB" % (
                    ours["count"], ours["processor"] * 1000, ours["processor"] / ours["count"] * 1e6,
                    ours["kib"] / 1024))


def main():
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.environ.get("VT_BUILD", ROOT / "build/release"))
    parser.add_argument("--corpus", default=os.environ.get("VT_CORPUS", ROOT.parent / "shared/corpus/qemu"))
    peers = sorted((ROOT / "build").glob("peer/lib/python3*/site-packages")) + [ROOT / "build/oracle"]
    parser.add_argument("--peer", default=os.environ.get("PEER_SITE", peers[0]))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--wide", action="store_true", help="the 601,443 dictionaries too")
    options = parser.parse_args()
    bench = Bench(options)
    if bench.corpus.is_dir():
        bench.suite()
        if options.wide:
            bench.wide()
    bench.size()
    sys.exit(1 if bench.missed else 0)


if __name__ == "__main__":
    main()
