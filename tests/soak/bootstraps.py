# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills `avocado vt-bootstrap`, and wants the next one to make of what is left what an undisturbed one makes."""

import os
import pathlib
import random
import signal
import subprocess
import time

from jobs import VENV, command_line, processes_with
from runs import alive, await_gone, children

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


class Bootstrap:
    """One data directory, and the commands that set it up."""

    def __init__(self, world, name):
        self.world = world
        self.root = world.site.root / f"bootstrap-{name}"
        home = self.root / "home"
        (home / ".config/avocado").mkdir(parents=True)
        (home / ".config/avocado/avocado.conf").write_text(
            f"[datadir.paths]\nbase_dir = {self.root}\ntest_dir = {self.root}/tests\ndata_dir = {self.root}/data\n"
            f"logs_dir = {self.root}/results\ncache_dirs = ['{self.root}/cache']\n"
        )
        self.mark = f"VT_SOAK_DIR={self.root}\0"
        self.environment = {
            **world.site.environment,
            "HOME": str(home),
            "VT_SOAK_DIR": str(self.root),
            "XDG_CACHE_HOME": str(world.cache),
            "TMPDIR": str(world.tmp),
        }

    def start(self):
        return subprocess.Popen(
            [VENV / "bin/avocado", "vt-bootstrap", "--vt-type", "qemu", *self.world.bootstrap_options()],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self):
        """A whole bootstrap; its output if it failed."""
        process = self.start()
        output, _ = process.communicate(timeout=900)
        return None if process.returncode == 0 else output

    def files(self):
        """All but Python's leavings."""
        return self.world.files(self.root / "data")

    def processes(self):
        return processes_with(self.mark)


def undisturbed(world):
    """What a bootstrap that nobody kills makes, and how long it takes; once a world."""
    if not hasattr(world, "bootstrap_reference"):
        bootstrap = Bootstrap(world, "undisturbed")
        began = time.monotonic()
        words = bootstrap.finish()
        assert words is None, words
        world.bootstrap_reference = (bootstrap.files(), time.monotonic() - began)
    return world.bootstrap_reference


def one_bootstrap(world, number, rng: random.Random):
    """One that is killed; the same kind of report as of a job."""
    files, takes = undisturbed(world)
    bootstrap = Bootstrap(world, number)
    target = rng.choice(("avocado", "runner", "everything", "ctrl-c"))
    number_of_signal = signal.SIGINT if target == "ctrl-c" else rng.choice(SIGNALS)
    delay = rng.random() * takes
    process = bootstrap.start()
    time.sleep(delay)
    over = process.poll() is not None
    runners = [pid for pid in children(process.pid) if "avocado-runner-vt" in command_line(pid)]
    victims = {"avocado": [process.pid], "runner": runners, "everything": [process.pid, *runners]}.get(target, [])
    doomed = set(bootstrap.processes())
    if target == "ctrl-c" and not over:
        os.killpg(process.pid, signal.SIGINT)
    for pid in victims:
        if alive(pid):
            os.kill(pid, number_of_signal)
    if target == "runner" and not runners:
        target = "nobody"
    result = {"number": number, "real": world.real, "kind": "bootstrap", "small": False, "delay": round(delay, 3)}
    result.update(phase="over" if over else "bootstrap", load=os.getloadavg()[0], target=target)
    result["signal"] = number_of_signal.name
    complaints = []
    if target != "nobody":
        took, left = await_gone(lambda: [pid for pid in doomed if alive(pid)])
        result["gone"] = round(took, 3)
        complaints += [f"survivors: {[command_line(pid) for pid in left]}"] if left else []
        complaints += [f"gone only after {took:.2f} s"] if took > 2 else []
    process.communicate(timeout=900)
    took, left = await_gone(bootstrap.processes)
    result["all_gone"] = round(took, 3)
    complaints += [f"survivors: {[command_line(pid) for pid in left]}"] if left else []
    if rng.random() < 0.5:
        done = world.site.runner("reap")
        complaints += [f"reap: {done.stdout}"] if done.returncode != 0 else []
    if (words := bootstrap.finish()) is not None:
        complaints.append(f"the next bootstrap failed: {words[-2000:]}")
    if bootstrap.files() != files:
        complaints.append(f"other files than usual: {sorted(set(bootstrap.files()) ^ set(files))}")
    world.site.runner("reap")
    result["complaints"] = complaints + world.leftovers()
    return result
