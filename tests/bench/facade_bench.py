# SPDX-License-Identifier: GPL-2.0-or-later
"""virttest.cartesian_config over the engine against upstream's: iterating all dictionaries from Python.

    python3 tests/bench/facade_bench.py [--build build/release] [--corpus DIR] [--peer SITE-PACKAGES] [--runs 3]

Without the corpus a config is generated. Processor seconds of reading and iterating, the import not counted. Exit
status 1 if ours is not ten times as fast.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOAL = 10

PROGRAM = """
import json, logging, sys, time
logging.disable()
from virttest import cartesian_config
begun = time.process_time()
count = keys = 0
for dic in cartesian_config.Parser(sys.argv[1]).get_dicts():
    count += 1
    keys += len(dic)
print(json.dumps({"count": count, "keys": keys, "processor": time.process_time() - begun}))
"""


def generated(path):
    """A config of 4,000 dictionaries of about 200 keys."""
    lines = ["k%d = value %d" % (i, i) for i in range(150)] + ["s%d = ${k%d} more" % (i, i) for i in range(40)]
    for block, size in enumerate((20, 20, 10)):
        lines.append("variants b%d:" % block)
        lines += ["  - v%d_%d:\n    x%d = %d\n    k%d += ' more'" % (block, i, block, i, i) for i in range(size)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def measured(site, file, runs):
    """The fastest run of one side."""
    environment = dict(os.environ, PYTHONPATH=str(site), PYTHONDONTWRITEBYTECODE="1", PYTHONWARNINGS="ignore")
    results = []
    for _ in range(runs):
        done = subprocess.run(["/usr/bin/python3", "-c", PROGRAM, str(file)], env=environment, check=True, stdout=subprocess.PIPE)
        results.append(json.loads(done.stdout))
    return min(results, key=lambda result: result["processor"])


def main():
    """Prints the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.environ.get("VT_BUILD", ROOT / "build/release"))
    parser.add_argument("--corpus", default=os.environ.get("VT_CORPUS", ROOT.parent / "shared/corpus/qemu"))
    parser.add_argument("--peer", default=os.environ.get("PEER_SITE"))
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    peers = [options.peer] if options.peer else sorted((ROOT / "build").glob("peer/lib/python3*/site-packages"))
    if not peers:
        sys.exit("upstream's packages are not in build/peer; say where they are with --peer")
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(options.corpus) / "list.cfg"
        if not file.exists():
            file = generated(pathlib.Path(directory) / "generated.cfg")
        ours = measured(pathlib.Path(options.build) / "lib/avocado-runner-vt/python", file, options.runs)
        theirs = measured(peers[0], file, 1)
    if (ours["count"], ours["keys"]) != (theirs["count"], theirs["keys"]):
        sys.exit("the two sides disagree: ours %s, upstream %s" % (ours, theirs))
    ratio = theirs["processor"] / ours["processor"]
    print("%s: %d dictionaries, %d keys: %.3f s, upstream %.3f s: %.1f times (goal %d)" % (
        file.name, ours["count"], ours["keys"], ours["processor"], theirs["processor"], ratio, GOAL))
    sys.exit(0 if ratio >= GOAL else 1)


if __name__ == "__main__":
    main()
