# SPDX-License-Identifier: GPL-2.0-or-later
"""What a job of several tests takes: ten tests without a VM, ours and upstream's; four guests, one and two at a time.

    build/venv/bin/python3 tests/bench/parallel_bench.py [--rounds N]

Both Avocados see one data directory with one provider. Needs what `make demo` makes, and tools/peer.sh.
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
from peer_world import BUILD, PEER, VENV, World  # noqa: E402  pylint: disable=C0413

# No machine, no image, nothing to capture: what is left is the framework's own work.
BARE = {"vms": "", "images": "", "skip_image_processing": "yes", "run_tcpdump": "no"}


def seconds(command, **options):
    """Elapsed time of a job whose tests must all pass."""
    begin = time.monotonic()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    elapsed = time.monotonic() - begin
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return elapsed


def ten_tests(rounds):
    with tempfile.TemporaryDirectory(prefix="parallel-bench-") as directory:
        world = World(pathlib.Path(directory))
        # Upstream looks at what its tests capture, so this one has to be real.
        (world.bin / "tcpdump").unlink()
        if shutil.which("tcpdump") is None:
            sys.exit("tcpdump is missing, without which no test of upstream's runs: tools/deps.sh")
        world.add_provider(["qemu"])
        cfg = world.provider / "generic/tests/cfg/hello.cfg"
        variants = "".join(f"        - n{number}:\n" for number in range(10))
        lines = "".join(f"    {key} = {value!r}\n" for key, value in BARE.items())
        cfg.write_text(f"- hello:\n    type = hello\n    start_vm = no\n{lines}    variants:\n{variants}")
        # Our runner answers for upstream's kind of test too, so each Avocado sees only its own.
        rest = f"{world.bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        env = {avocado: {**world.env, "PATH": f"{place}:{rest}"}
               for avocado, place in ((PEER, PEER / "bin"), (VENV, BUILD / "bin"))}  # fmt: skip
        for avocado in (PEER, VENV):
            seconds([avocado / "bin/avocado", "vt-bootstrap", "--vt-type", "qemu", "--vt-guest-os", "JeOS.27",
                     "--vt-no-downloads"], env=env[avocado], cwd=world.base)  # fmt: skip
        times = {PEER: [], VENV: []}
        for _ in range(rounds):
            for avocado, taken in times.items():
                taken.append(seconds(
                    [avocado / "bin/avocado", "run", "--vt-type", "qemu", "--vt-guest-os", "JeOS.27",
                     "--max-parallel-tasks", 1, "--disable-sysinfo", "--", "hello"], env=env[avocado], cwd=world.base))  # fmt: skip
        upstream, ours = (statistics.median(taken) for taken in times.values())
        print(f"ten tests without a VM, one after another: upstream {upstream:.2f} s, ours {ours:.2f} s, "
              f"{upstream / ours:.1f} times as fast")  # fmt: skip


def four_guests(rounds):
    times = {1: [], 2: []}
    for _ in range(rounds):
        for tasks, taken in times.items():
            taken.append(seconds(
                [ROOT / "build/avocado", "run", "--vt-type", "qemu", "--vt-extra-params", "smp=1",
                 "--max-parallel-tasks", tasks, "--", *["builtin.uptime"] * 4]))  # fmt: skip
    serial, parallel = (statistics.median(taken) for taken in times.values())
    print(f"four guests of one processor on {os.cpu_count()}: one at a time {serial:.1f} s, two at a time {parallel:.1f} s, "
          f"{parallel / serial:.2f} of it")  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if not (PEER / "bin/avocado").exists() or not BUILD.exists():
        sys.exit("build/release or build/peer is missing: make build, tools/peer.sh")
    ten_tests(options.rounds)
    four_guests(options.rounds)


if __name__ == "__main__":
    main()
