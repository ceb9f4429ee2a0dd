# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills jobs of plans, drivers and packet tests at random moments and looks at what is left.

A run is a job of one or two such tests, under real Avocado or small_avocado.py, a phase of it with a random delay behind,
a target among its processes, and a signal, all drawn from a seed and the run's number.

    harness_soak.py [--seed N] [--runs N] [--from NUMBER] [--kind KIND]
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from jobs import BUILD, Site, command_line, processes_with  # noqa: E402
from runs import Parts, await_gone  # noqa: E402

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
#: File, tests of it.
FILES = {
    "harness_plans.py": ("vt-plan", ("Killed.testStubborn", "Killed.testBrief", "Killed.testThread")),
    "harness_drivers.py": ("vt-driver", ("Killed.test_pair", "Killed.test_child")),
    "harness_packets.py": ("vt-packet", ("Killed.test_frames", "KilledVeth.test_frames", "KilledTap.test_frames")),
}
#: Longest delay behind each phase, in seconds.
PHASES = {"start": 0.5, "supervisor": 0.05, "body": 0.1, "test": 0.3, "done": 0.05}
TARGETS = ("avocado", "avocado", "supervisor", "supervisor", "body", "body", "sweeper", "everything")
GONE_WITHIN = 2


class Run:
    """One job under attack."""

    def __init__(self, site, number, tests, small):
        self.site = site
        self.dir = site.root / f"run-{number}-"
        (self.dir / "phases").mkdir(parents=True)
        self.sleeper = f"1000.0{number}"
        self.mark = f"VT_SOAK_DIR={self.dir}\0"
        environment = {"VT_SOAK_DIR": str(self.dir), "VT_SOAK_SLEEPER": self.sleeper}
        self.output = open(self.dir / "output", "w+b")
        streams = {"stdout": self.output, "stderr": subprocess.STDOUT, "start_new_session": True}
        if small:
            recipes = [self._recipe(index, *test) for index, test in enumerate(tests)]
            self.process = subprocess.Popen(
                [sys.executable, HERE / "small_avocado.py", BUILD / "bin/avocado-runner-vt", self.dir / "status", *recipes],
                env={**site.environment, **environment}, cwd=site.root, stdin=subprocess.DEVNULL, **streams,
            )
        else:
            references = [reference for _, reference in tests]
            self.process = site.start("run", "--max-parallel-tasks", 2, "--", *references, environment=environment, **streams)

    def _recipe(self, index, kind, reference):
        path = self.dir / f"recipe-{index}.json"
        runnable = {"kind": kind, "uri": reference, "kwargs": {"output_dir": str(self.dir / f"results-{index}")}}
        path.write_text(json.dumps({
            "runnable": runnable, "id": f"{index}-test", "job_id": hashlib.sha1(self.dir.name.encode()).hexdigest(),
            "status_uris": [str(self.dir / "status")],
        }))
        return path

    def owns(self, pid):
        return pid in processes_with(self.mark)

    def processes(self):
        """All that was started here and still runs, by environment and by what it sleeps."""
        return sorted({*processes_with(self.mark), *processes_with(f"sleep\0{self.sleeper}\0")})

    def ended(self):
        return self.process.poll() is not None

    def reach(self, phase, delay):
        """Waits for a phase; false if the job ends before."""
        end = time.monotonic() + 120
        while not self._is_there(phase):
            if self.ended():
                return False
            assert time.monotonic() < end, f"the phase {phase} never came"
            time.sleep(0.002)
        time.sleep(delay)
        return not self.ended()

    def _is_there(self, phase):
        if phase == "start":
            return True
        if phase == "supervisor":
            return bool(Parts(self).supervisor)
        return any((self.dir / "phases").glob(phase + "-*"))

    def attack(self, target, number):
        parts = Parts(self)
        named = {name: getattr(parts, name) for name in ("avocado", "supervisor", "body", "sweeper")}
        # The sweeper is the last resort: with it and its supervisor gone in one moment nobody is left who could act.
        everything = [pid for name in ("avocado", "supervisor", "body") for pid in named[name]]
        victims = everything if target == "everything" else named[target]
        for pid in victims or named["avocado"]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def end(self):
        """Has the job end, as Avocado is told to, if it does not by itself."""
        for number in (TERM, KILL):
            try:
                self.process.wait(timeout=20)
                return
            except subprocess.TimeoutExpired:
                self.process.send_signal(number)
        self.process.wait()


def interfaces():
    """The host's network interfaces; those of tests are in namespaces of their own."""
    return set(os.listdir("/sys/class/net"))


def namespaces():
    """Network namespaces that a process is in or a file holds."""
    found = set(os.listdir("/run/netns")) if os.path.isdir("/run/netns") else set()
    for entry in pathlib.Path("/proc").iterdir():
        try:
            found.add(os.readlink(entry / "ns/net"))
        except OSError:
            continue
    return found


def kinds(only=None):
    """The tests of the harnesses that this build has, of one kind or of all."""
    packages = BUILD / "lib/avocado-runner-vt/python"
    there = {kind for kind, package in (("vt-plan", "flumotion"), ("vt-driver", "testplan"), ("vt-packet", "_packet")) if (packages / package).exists()}
    return [
        (kind, f"{HERE / name}:{test}") for name, (kind, tests) in FILES.items() if kind in there and only in (None, kind)
        for test in tests
    ]


def one(site, number, seed, kind=None):
    """A run from its start to the verdict: a dictionary for the report, with the complaints in it."""
    rng = random.Random(f"{seed}-{number}")
    tests = rng.sample(kinds(kind), rng.choice((1, 2)))
    before = interfaces(), namespaces()
    phase = rng.choice(list(PHASES))
    target, number_of_signal = rng.choice(TARGETS), rng.choice((KILL, KILL, TERM, INT))
    run = Run(site, number, tests, small=rng.random() < 0.8)
    reached = run.reach(phase, PHASES[phase] * rng.random())
    if reached:
        run.attack(target, number_of_signal)
    run.end()
    took, left = await_gone(run.processes)
    complaints = [f"survivor: {command_line(pid)}" for pid in left]
    if took > GONE_WITHIN:
        complaints.append(f"gone only after {took:.2f} s (load {os.getloadavg()[0]:.1f})")
    for pid in left:
        os.kill(pid, KILL)
    reaped = site.runner("reap")
    if reaped.returncode != 0:
        complaints.append(f"reap: {reaped.stdout}{reaped.stderr}")
    complaints += [f"runtime: {path}" for path in site.leftovers()]
    complaints += [f"interface: {name}" for name in interfaces() - before[0]]
    if kind == "vt-packet":  # others' processes may come and go in theirs
        _, left = await_gone(lambda: namespaces() - before[1])
        complaints += [f"namespace: {name}" for name in left]
    run.output.close()
    return {
        "number": number, "tests": [test for _, test in tests], "phase": phase if reached else "over", "target": target,
        "signal": number_of_signal.name, "all_gone": round(took, 3), "complaints": complaints,
    }


def campaign(seed, runs, first=1, kind=None):
    """So many runs; their results."""
    site = Site()
    try:
        for number in range(first, first + runs):
            yield one(site, number, seed, kind)
    finally:
        site.remove()


def main():
    parser = argparse.ArgumentParser(description="Kills jobs of plans, drivers and packet tests at random moments.")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    parser.add_argument("--runs", type=int, default=300, metavar="N")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="NUMBER")
    parser.add_argument("--kind", choices=sorted({kind for kind, _ in FILES.values()}), help="only tests of that kind")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    signal.signal(INT, signal.default_int_handler)
    results = []
    for result in campaign(arguments.seed, arguments.runs, arguments.first, arguments.kind):
        results.append(result)
        if result["complaints"]:
            print(json.dumps(result), flush=True)
    slowest = max(row["all_gone"] for row in results)
    hit = sum(row["phase"] != "over" for row in results)
    bad = sum(bool(row["complaints"]) for row in results)
    print(f"{len(results)} runs, {hit} hit while they ran, everything gone after {slowest:.2f} s at most, {bad} with complaints")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
