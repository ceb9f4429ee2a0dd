# SPDX-License-Identifier: GPL-2.0-or-later
"""What block tests cost: importing the module, starting a machine, and QEMU's own scripts, with our module and with theirs.

    iotests_bench.py [--source DIR] [--runs N] [--scripts NAME,...] [-j N]

DIR is a folder tests/qemu-iotests of QEMU's sources (default: what tools/iotests.sh fetched). Prints figures and ratios. Scripts are run with
the module of their folder only if this QEMU has the qtest accelerator, without which that module starts no machine.
"""

import argparse
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
OURS = BUILD / "lib/avocado-runner-vt/python"
VARIABLES = ("TEST_DIR", "SOCK_DIR", "CACHEMODE", "AIOMODE", "QEMU_DEFAULT_MACHINE", "SAMPLE_IMG_DIR")
IMPORT = "import time\nbegan = time.perf_counter()\nimport iotests\n%s\nprint(time.perf_counter() - began)"
MACHINE = """
import time, iotests
began = time.perf_counter()
for _ in range(10):
    vm = iotests.VM()
    vm.launch()
    vm.shutdown()
print('seconds', (time.perf_counter() - began) / 10)
"""


def seconds(path, code, directory, runs):
    env = {**os.environ, **dict.fromkeys(VARIABLES, str(directory)), "PYTHONPATH": path}
    return statistics.median(
        float(subprocess.run(["/usr/bin/python3", "-c", code], env=env, capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    )


def bench_import(source, directory, runs):
    theirs = f"{source}:{source.parents[1]}/python"
    for what, then in (("import iotests", ""), ("the same, and VM and QMPTestCase", "iotests.VM, iotests.QMPTestCase")):
        # In turns, as the host's load changes.
        pairs = [[seconds(path, IMPORT % then, directory, 1) for path in (str(OURS), theirs)] for _ in range(runs)]
        ours, real = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        print(f"{what}: {ours * 1000:.0f} ms, the real module {real * 1000:.0f} ms: {real / ours:.1f} times faster")


def bench_machine(directory):
    script = directory / "machine"
    script.write_text("#!/usr/bin/env python3\n" + MACHINE)
    (directory / "machine.out").write_text("")
    done = subprocess.run(
        [BUILD / "bin/avocado-runner-vt", "iotests", "-qcow2", "--results", directory, "machine"],
        cwd=directory, capture_output=True, text=True, check=False,
    )
    print(f"a machine from launch() to the end of shutdown(): {float(re.search(r'seconds ([0-9.]+)', done.stdout).group(1)) * 1000:.0f} ms")


def bench_scripts(source, names, directory, jobs, module):
    began = time.monotonic()
    done = subprocess.run(
        [BUILD / "bin/avocado-runner-vt", "iotests", "-qcow2", "-j", str(jobs), "--results", directory, "--source", source,
         "--iotests-module", module, *names],
        capture_output=True, text=True, check=False,
    )
    spent = time.monotonic() - began
    count = {word: len(re.findall(rf"^\S+ +{word} +\[", done.stdout, re.MULTILINE)) for word in ("pass", "fail", "not run", "error")}
    print(f"{len(names) or 'all'} scripts, -j {jobs}, module {module}: {spent:.1f} s; " + ", ".join(f"{n} {w}" for w, n in count.items()))
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, default=ROOT / "build/iotests/tests/qemu-iotests")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--scripts", default="030,040,041,056,057,065,096,118,124,155,245")
    parser.add_argument("-j", dest="jobs", type=int, default=1)
    arguments = parser.parse_args()
    if not (arguments.source / "iotests.py").exists():
        print(f"there are no block tests in {arguments.source}; tools/iotests.sh fetches them")
        return
    # The list of "-accel help" leaves it out.
    has_qtest = subprocess.run(
        ["qemu-system-x86_64", "-accel", "qtest", "-machine", "none", "-display", "none", "-monitor", "stdio"],
        input="quit\n", capture_output=True, text=True,
    ).returncode == 0
    with tempfile.TemporaryDirectory(prefix="vt-bench-") as place:
        directory = pathlib.Path(place)
        bench_import(arguments.source, directory, arguments.runs)
        bench_machine(directory)
        ours = bench_scripts(arguments.source, arguments.scripts.split(","), directory, arguments.jobs, "ours")
        if has_qtest:
            theirs = bench_scripts(arguments.source, arguments.scripts.split(","), directory, 1, "theirs")
            print(f"ours takes {ours / theirs:.2f} of the real module's time")


if __name__ == "__main__":
    main()
