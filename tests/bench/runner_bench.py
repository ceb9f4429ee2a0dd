# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runner itself costs: `capabilities`, and a test that does nothing.

    build/venv/bin/python3 tests/bench/runner_bench.py [--tests 300] [--runs 20] [--corpus DIR]

Needs what `make demo` makes. `capabilities` is compared with upstream's runner where tools/peer.sh made its virtual
environment, the job of noop_native tests with one of Avocado's own Python noop tests. With --corpus (default $VT_CORPUS)
the config is that of a public suite with 4,692 tests, each turned into noop_native; else the built-in test is
repeated.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
AVOCADO = [os.environ.get("VT_AVOCADO", str(ROOT / "build/avocado"))]
RUNNER = BUILD / "bin/avocado-runner-vt"
PEER = pathlib.Path(os.environ.get("VT_PEER", ROOT / "build/peer")) / "bin/avocado-runner-avocado-vt"
PYTHON_NOOPS = 40  # they cost a quarter of a second each

NOOP_OVER_CORPUS = """include {corpus}/list.cfg
type = noop_native
provider = builtin
vms =
main_vm =
start_vm = no
images =
cdroms =
skip_image_processing = yes
test_cmds_installed_host =
cmds_installed_host =
requires_root = no
required_qemu =
required_kernel =
required_virtio_win =
required_virtiofsd =
pre_command =
post_command =
"""


def measure(command):
    """Seconds of one run, and its peak memory in MiB."""
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    elapsed = time.monotonic() - begin
    # A child of this Python would count its parent's memory as its own until exec, so time(1) stands between.
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True, check=True)
    return elapsed, int(done.stderr.split()[-1]) / 1024


def bench_capabilities(runs):
    ours = [measure([str(RUNNER), "capabilities"]) for _ in range(runs)]
    line = f"capabilities: {milliseconds(ours)}, {max(memory for _, memory in ours):.1f} MiB"
    if PEER.exists():
        theirs = [measure([str(PEER), "capabilities"]) for _ in range(max(3, runs // 5))]
        ratio = statistics.median(t for t, _ in theirs) / statistics.median(t for t, _ in ours)
        line += f"; upstream {milliseconds(theirs)}, {max(m for _, m in theirs):.1f} MiB: {ratio:.0f} times faster"
    print(line)


def milliseconds(measurements):
    return f"{statistics.median(seconds for seconds, _ in measurements) * 1000:.1f} ms"


def job_seconds(arguments, wanted):
    """The wall time of a job and what Avocado says it was."""
    begin = time.monotonic()
    done = subprocess.run(AVOCADO + ["run", *arguments], capture_output=True, text=True, check=False)
    elapsed = time.monotonic() - begin
    if f"PASS {wanted} " not in done.stdout:
        sys.exit(f"{wanted} tests should have passed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return elapsed, float(re.search(r"JOB TIME +: ([\d.]+) s", done.stdout).group(1))


def bench_jobs(count, corpus, directory):
    common = ["--max-parallel-tasks", "1", "--disable-sysinfo"]
    noops = directory / "noops.json"
    noops.write_text(json.dumps([{"kind": "noop", "uri": f"noop{i}"} for i in range(PYTHON_NOOPS)]))
    if corpus:
        config = directory / "noop.cfg"
        config.write_text(NOOP_OVER_CORPUS.format(corpus=corpus))
        arguments = ["--vt-config", str(config), *first_tests(config, count)]
    else:
        arguments = ["noop_native"] * count
    _, ours = job_seconds([*common, "--vt-type", "qemu", *arguments], count)
    _, theirs = job_seconds([*common, str(noops)], PYTHON_NOOPS)
    ours, theirs = ours / count, theirs / PYTHON_NOOPS
    source = "the public suite's config" if corpus else "the shipped config"
    print(
        f"noop_native, job of {count} ({source}): {ours * 1000:.1f} ms a test; Avocado's Python noop"
        f" {theirs * 1000:.1f} ms: {theirs / ours:.1f} times faster"
    )


def first_tests(config, count):
    """Names of the first tests of a config."""
    done = subprocess.run(
        AVOCADO + ["list", "--vt-type", "qemu", "--vt-config", str(config)], capture_output=True, text=True, check=True
    )
    names = [line.split(None, 1)[1] for line in done.stdout.splitlines() if line.startswith("vt ")]
    return names[:count]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=int, default=300)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--corpus", default=os.environ.get("VT_CORPUS"))
    options = parser.parse_args()
    bench_capabilities(options.runs)
    with tempfile.TemporaryDirectory(prefix="avocado-vt-bench-") as directory:
        bench_jobs(options.tests, options.corpus, pathlib.Path(directory))


if __name__ == "__main__":
    main()
