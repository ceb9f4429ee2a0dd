# SPDX-License-Identifier: GPL-2.0-or-later
"""What lists cost: upstream's plugin, ours, and Avocado by itself, in runs that alternate.

The suite is the QEMU one that users run (the corpus beside the repository, or VT_CORPUS), 4,692 tests. "Free" is Avocado with
a resolver that finds as many runnables without looking: what is above it is ours. "Cold" is without compiled configs.

    build/venv/bin/python3 tests/bench/resolve_bench.py [--rounds N] [--upstream-rounds N]

Makes build/bench/plain: a virtual environment with nothing but Avocado, to which plugins are added by PYTHONPATH.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "compare"))
from peer_world import BUILD, PEER, World  # noqa: E402  pylint: disable=C0413

CORPUS = pathlib.Path(os.environ.get("VT_CORPUS", ROOT.parent / "shared" / "corpus" / "qemu"))
BENCH = ROOT / "build" / "bench"
PLAIN = BENCH / "plain"
WANTED = ["avocado-framework==113.0", "setuptools<81", "wheel"]
QEMU = ("--vt-type", "qemu")

FREE_RESOLVER = '''
from avocado.core.nrunner.runnable import Runnable
from avocado.core.plugin_interfaces import Resolver
from avocado.core.resolver import ReferenceResolution, ReferenceResolutionResult


class Free(Resolver):
    name = "free"
    description = "Finds without looking"

    def __init__(self, config=None):
        pass

    def resolve(self, reference):
        if reference != "free":
            return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND)
        names = open({names!r}).read().split()
        runnables = [Runnable("vt", name) for name in names]
        return ReferenceResolution(reference, ReferenceResolutionResult.SUCCESS, runnables)
'''


def make_plain():
    if (PLAIN / "wanted").exists() and (PLAIN / "wanted").read_text() == " ".join(WANTED):
        return
    shutil.rmtree(PLAIN, ignore_errors=True)
    subprocess.run(["/usr/bin/python3", "-m", "venv", PLAIN], check=True)
    subprocess.run([PLAIN / "bin/pip", "install", "-q", "--disable-pip-version-check", *WANTED], check=True)
    (PLAIN / "wanted").write_text(" ".join(WANTED))


def add_our_plugin(directory):
    """A folder for PYTHONPATH with the plugin as it is in the source tree."""
    copy = directory / "source"
    shutil.copytree(ROOT / "resolver" / "plugin", copy)
    subprocess.run(
        [PLAIN / "bin/pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation",
         "--target", directory / "ours", copy], check=True)
    return directory / "ours"


def add_free_resolver(directory, names):
    folder = directory / "free"
    info = folder / "free_resolver-1.dist-info"
    info.mkdir(parents=True)
    (folder / "free_resolver.py").write_text(FREE_RESOLVER.format(names=str(names)))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: free-resolver\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[avocado.plugins.resolver]\nfree = free_resolver:Free\n")
    return folder


class Bench:
    def __init__(self, base):
        self.world = World(base / "world")
        make_plain()
        downloads = self.world.data / "virttest" / "test-providers.d" / "downloads" / "kept"
        downloads.mkdir(parents=True)
        cfg = self.world.data / "backends" / "qemu" / "cfg"
        cfg.mkdir(parents=True)
        for file in CORPUS.glob("*.cfg"):
            shutil.copyfile(file, cfg / file.name)
        (self.world.home / ".cache").mkdir()
        self.ours = add_our_plugin(base)
        names = base / "names"
        names.write_text(self.output(PLAIN, self.ours, "list", *QEMU).replace("vt ", ""))
        self.count = len(names.read_text().split())
        self.free = add_free_resolver(base, names)

    def command(self, environment, plugin, arguments):
        env = {**self.world.env, **({"PYTHONPATH": str(plugin)} if plugin else {})}
        return [str(environment / "bin/avocado"), *arguments], env

    def output(self, environment, plugin, *arguments):
        command, env = self.command(environment, plugin, arguments)
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    def seconds(self, environment, plugin, *arguments, cold=False):
        if cold:
            shutil.rmtree(self.world.home / ".cache" / "avocado-vt")
        command, env = self.command(environment, plugin, arguments)
        begin = time.monotonic()
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        return time.monotonic() - begin, usage.ru_utime + usage.ru_stime

    def medians(self, rounds, runs):
        """The medians of each of the runs, which take turns: (elapsed time, processor time)."""
        times = {name: [] for name in runs}
        for _ in range(rounds):
            for name, (arguments, keywords) in runs.items():
                times[name].append(self.seconds(*arguments, **keywords))
        return {name: [statistics.median(values) for values in zip(*pairs)] for name, pairs in times.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--upstream-rounds", type=int, default=2)
    options = parser.parse_args()
    if not CORPUS.is_dir():
        sys.exit(f"no corpus at {CORPUS}: nothing to list")
    if not (PEER / "bin/avocado").exists() or not BUILD.exists():
        sys.exit("build/release or build/peer is missing: make build, tools/peer.sh")
    with tempfile.TemporaryDirectory(prefix="resolve-bench-") as directory:
        report(Bench(pathlib.Path(directory)), options)


def report(bench, options):
    every = ("-V", "list", *QEMU)
    ours, free = bench.ours, bench.free
    fast = bench.medians(options.rounds, {
        "true": ((PLAIN, None, "list", "/bin/true"), {}),
        "true, plugin": ((PLAIN, ours, "list", "/bin/true"), {}),
        "boot": ((PLAIN, ours, "list", *QEMU, "boot"), {}),
        "boot, cold": ((PLAIN, ours, "list", *QEMU, "boot"), {"cold": True}),
        "free": ((PLAIN, free, "-V", "list", "free"), {}),
        "all": ((PLAIN, ours, *every), {}),
        "all, cold": ((PLAIN, ours, *every), {"cold": True}),
    })
    slow = bench.medians(options.upstream_rounds, {
        "true": ((PEER, None, "list", "/bin/true"), {}),
        "boot": ((PEER, None, "list", *QEMU, "boot"), {}),
        "all": ((PEER, None, *every), {}),
    })
    assert bench.output(PLAIN, ours, "list", *QEMU).count("\n") == bench.count
    for index, clock in enumerate(("elapsed", "of the processors, which a busy machine disturbs less")):
        print(f"\nSeconds {clock}; medians of {options.rounds} (upstream: of {options.upstream_rounds})\n")
        table({name: pair[index] for name, pair in fast.items()}, {name: pair[index] for name, pair in slow.items()}, bench)


def table(fast, slow, bench):
    print("| work | upstream | ours, cold | ours, warm | upstream/cold | upstream/warm | above the baseline, cold | warm |")
    print("|---|---|---|---|---|---|---|---|")

    def row(work, name, base):
        cold, warm = fast[f"{name}, cold"], fast[name]
        print(f"| {work} | {slow[name]:.2f} | {cold:.3f} | {warm:.3f} | {slow[name] / cold:.1f}x | {slow[name] / warm:.1f}x "
              f"| {cold - base:+.3f} | {warm - base:+.3f} |")

    row(f"`avocado -V list --vt-type qemu`, {bench.count} tests; baseline: as many that are free, {fast['free']:.3f}",
        "all", fast["free"])
    row(f"`avocado list --vt-type qemu boot`; baseline: `avocado list /bin/true` with the plugin, {fast['true, plugin']:.3f}",
        "boot", fast["true, plugin"])
    print(f"\n`avocado list /bin/true`: {fast['true']:.3f} without a plugin, {fast['true, plugin']:.3f} with ours "
          f"({100 * (fast['true, plugin'] / fast['true'] - 1):+.1f} %), {slow['true']:.3f} with upstream's")


if __name__ == "__main__":
    main()
