# SPDX-License-Identifier: GPL-2.0-or-later
"""A job that will be attacked: its processes, and the phases in which it can be met."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

from jobs import BUILD, command_line, processes_with

HERE = pathlib.Path(__file__).resolve().parent
SURVIVES = 30  # seconds; what is there after so long is a survivor, and not only late on a machine with other work


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def leads_group(pid):
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def await_gone(find, patience=SURVIVES):
    """Waits until find() finds nothing; how long that took, and what is left after all patience."""
    began = time.monotonic()
    while left := find():
        if time.monotonic() > began + patience:
            return time.monotonic() - began, left
        time.sleep(0.01)
    return time.monotonic() - began, []


class Parts:
    """The processes of a running job by what they are."""

    def __init__(self, run):
        self.avocado = [run.process.pid]
        self.supervisor, self.sweeper, self.body, self.guardian, self.qemu = [], [], [], [], []
        for child in children(run.process.pid):
            if "task-run" in command_line(child):
                self.supervisor.append(child)
                for grandchild in children(child):
                    kind = {"vt-sweeper": self.sweeper, "vt-test": self.body}.get(comm(grandchild))
                    # A guardian that is just being started bears the body's name too, but leads no process group.
                    if kind is not None and leads_group(grandchild):
                        kind.append(grandchild)
        for path in run.site.runtime.glob("job-*/guardian.id"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(path.read_text().split()[0])
                if run.owns(pid):
                    self.guardian.append(pid)
                    self.qemu += [child for child in children(pid) if "-name guest=" in command_line(child)]


class Run:
    """One job under attack."""

    def __init__(self, world, name, plan, tests, params=(), small=True, parallel=1, prefix=()):
        self.site = world.site
        self.sleeper = "1000.0" + "".join(filter(str.isdigit, name))  # what its sleeping children sleep
        self.plan = plan
        self.dir = world.site.root / f"run-{name}-"  # no name is the beginning of another
        (self.dir / "phases").mkdir(parents=True)
        self.mark = f"VT_SOAK_DIR={self.dir}\0"
        environment = {
            "VT_SOAK_DIR": str(self.dir),
            "VT_SOAK_SLEEPER": self.sleeper,
            "XDG_CACHE_HOME": str(world.cache),
            "TMPDIR": str(world.tmp),
        }
        self.before = set(world.site.results_dirs())
        self.output = open(self.dir / "output", "w+b")
        streams = {"stdout": self.output, "stderr": subprocess.STDOUT, "start_new_session": True}
        self.seen_qemu = False
        if small:
            recipes = [world.recipe(self.dir, name, params, index) for index, name in enumerate(tests)]
            self.process = subprocess.Popen(
                [*prefix, sys.executable, HERE / "small_avocado.py", BUILD / "bin/avocado-runner-vt"]
                + [self.dir / "status", *recipes],
                env={**world.site.environment, **environment},
                cwd=world.site.root,
                stdin=subprocess.DEVNULL,
                **streams,
            )
        else:
            words = ["run", "--vt-type", "qemu", "--max-parallel-tasks", parallel, *world.machine_options()]
            for pair in params:
                words += ["--vt-extra-params", pair]
            self.process = world.site.start(*words, "--", *tests, prefix=prefix, environment=environment, **streams)
        self.started = time.monotonic()

    def owns(self, pid):
        return pid in processes_with(self.mark)

    def processes(self):
        """All that this run started and that still runs, by environment and by command line."""
        return sorted({*processes_with(self.mark), *processes_with(f"/bin/sleep\0{self.sleeper}\0")})

    def sleepers(self):
        """What a test has started by its own means."""
        return [pid for pid in self.processes() if comm(pid) not in ("vt-sweeper", "vt-test") and "guardian" not in command_line(pid)]

    def told(self, phase):
        return any((self.dir / "phases").glob(phase + "-*"))

    def ended(self):
        return self.process.poll() is not None

    def text(self):
        return (self.dir / "output").read_text(errors="replace")


def phase_start(run):
    return True


def phase_supervisor(run):
    return any("task-run" in command_line(child) for child in children(run.process.pid))


def phase_body(run):
    return bool(Parts(run).body)


def phase_job_dir(run):
    return any(path.stat().st_mtime >= run.plan.born for path in run.site.runtime.glob("job-*"))


def phase_guardian(run):
    return bool(Parts(run).guardian)


def phase_boot(run):
    return bool(Parts(run).qemu)


def phase_down(run):
    return run.told("done")


def phase_end(run):
    run.seen_qemu = run.seen_qemu or bool(Parts(run).qemu)
    return run.told("done") and not Parts(run).qemu


# Phase: predicate, longest delay behind it in seconds, weight.
PHASES = {
    "start": (phase_start, 0.5, 2),
    "supervisor": (phase_supervisor, 0.02, 3),
    "body": (phase_body, 0.15, 3),
    "job_dir": (phase_job_dir, 0.01, 3),
    "guardian": (phase_guardian, 0.05, 3),
    "boot": (phase_boot, 0.1, 4),
    "login": (lambda run: run.told("login"), 0.1, 4),
    "test": (lambda run: run.told("test"), 0.2, 4),
    "down": (phase_down, 0.3, 4),
    "end": (phase_end, 0.05, 2),
}
MACHINE_PHASES = ("boot", "login")
