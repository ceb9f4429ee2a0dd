# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills jobs at random moments and looks at what is left: `make soak`.

A run is a job (under real Avocado, or under small_avocado.py, which costs less), a *phase* of it, a *target* among its
processes, and a signal, all drawn from a seed and the run's number, so that a run can be had again. Phases are seen by what
is there (a process, a file, a word of the test's own), with a random delay behind, since the moments in between are what
nobody thought of.

    soak.py [--seed N] [--fake N] [--real N] [--bootstrap N] [--from NUMBER] [--report FILE]
"""

import argparse
import collections
import json
import os
import pathlib
import random
import signal
import sys
import time
import types

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from bootstraps import one_bootstrap  # noqa: E402
from jobs import command_line  # noqa: E402
from runs import PHASES, Parts, Run, alive, await_gone  # noqa: E402
from world import World  # noqa: E402

GONE_WITHIN = 2  # seconds, for processes
KILL, TERM, INT, HUP = signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP

# Target: signals, weight.
TARGETS = {
    "avocado": ((KILL, TERM, INT), 5),
    "supervisor": ((KILL, TERM, INT, HUP), 6),
    "supervisor and body": ((KILL,), 3),
    "sweeper and supervisor": ((KILL,), 2),
    "all but avocado": ((KILL,), 2),
    "body": ((KILL, TERM, INT), 3),
    "guardian": ((KILL, TERM), 3),
    "qemu": ((KILL, TERM), 2),
    "sweeper": ((KILL,), 1),
    "everything": ((KILL, TERM), 4),
    "ctrl-c": ((INT,), 3),
    "ctrl-c twice": ((INT,), 2),
    "stopped avocado": ((KILL,), 1),
    "two": ((KILL, TERM), 3),
}


# Targets after which the job has to go on by itself, since Avocado is not among them.
JOB_GOES_ON = (
    "supervisor", "supervisor and body", "sweeper and supervisor", "all but avocado", "body", "guardian", "qemu", "sweeper",
    "stopped avocado",
)
# Here nobody is left to speak for the runner but Avocado's own process, with the plugin in it.
NEEDS_PLUGIN = ("sweeper and supervisor", "all but avocado")
JOB_ENDS_WITHIN = 90  # seconds


def weighted(rng, table):
    return rng.choices(list(table), [row[-1] for row in table.values()])[0]



# Kind of job: weight.
KINDS = {
    "machine": (30,),
    "two machines": (10,),
    "two jobs": (8,),
    "image": (10,),
    "fresh image": (6,),
    "kept machine": (8,),
    "children": (12,),
    "bridge": (6,),
}
BREEDS = ("child", "session", "shell", "daemon", "nameless", "forked", "stopped", "pool")


def make_plan(rng, real, bridges):
    """Everything about a run that is left to chance."""
    plan = types.SimpleNamespace(real=real)
    plan.kind = weighted(rng, KINDS)
    if real and plan.kind in ("image", "fresh image", "children", "bridge"):
        plan.kind = "machine"  # these need no guest, or an empty disk
    plan.small = rng.random() < (0.2 if real else 0.65)
    plan.phase = weighted(rng, PHASES)
    if plan.kind == "bridge" and not bridges:
        plan.kind = "machine"
    if plan.kind == "bridge" and plan.phase == "login":
        plan.phase = "test"  # nobody logs in through it
    if plan.kind in ("image", "children") and plan.phase in ("boot", "login", "guardian", "job_dir", "end"):
        plan.phase = rng.choice(("test", "down", "body"))
    plan.delay = PHASES[plan.phase][1] * rng.random() ** 2 * (5 if real else 1)
    plan.target = weighted(rng, TARGETS)
    plan.signal = rng.choice(TARGETS[plan.target][0])
    if plan.target in NEEDS_PLUGIN:
        plan.small = False
    plan.both = rng.sample(("avocado", "supervisor", "body", "guardian", "qemu", "sweeper"), 2)
    plan.gap = rng.choice((0, rng.random() * 0.05))
    plan.params = [f"seconds={rng.choice((0.2, 0.5, 1.5))}"]
    if not real:
        fake = [f"boot={rng.random() * 0.4:.2f}", f"down={rng.random() * 0.4:.2f}"]
        deaf = rng.choice(("", "", "", "quit", "term", "quit+term"))
        plan.params.append("extra_params=-fake " + ",".join(fake + ([f"deaf={deaf}"] if deaf else [])))
        plan.params.append("kill_timeout=1")
    plan.params.append("breeds=" + " ".join(rng.sample(BREEDS, rng.randint(1, 3))))
    # A runner that was killed is what a job may hang for, so there its end is always awaited.
    plan.patient = rng.random() < 0.5 or (plan.signal == KILL and plan.target in JOB_GOES_ON[:4])
    plan.next_command = rng.choice(("reap", "reap", "reap", "job"))
    return plan


def start(world, number, plan):
    """The job of the plan, and the one beside it that must not notice."""
    tests = {
        "machine": ["soak.machine"],
        "two machines": ["soak.machine", "soak.another"],
        "two jobs": ["soak.machine"],
        "image": ["soak.image"],
        "fresh image": ["soak.fresh"],
        "kept machine": ["soak.keeps", "soak.kept"],
        "children": ["soak.children"],
        "bridge": ["soak.on_bridge"],
    }[plan.kind]
    small = plan.small and plan.kind != "kept machine"
    witness = None
    if plan.kind == "two jobs":
        witness = Run(world, f"{number}-witness", plan, ["soak.another"], world.params(plan.params))
    side_by_side = 2 if plan.kind == "two machines" else 1
    prefix = world.net.prefix if plan.kind == "bridge" else ()
    run = Run(world, str(number), plan, tests, world.params(plan.params), small, side_by_side, prefix)
    return run, witness


def reach(run):
    """Waits for the phase of the plan; false if the job ends before it is seen."""
    predicate = PHASES[run.plan.phase][0]
    end = time.monotonic() + 120
    while not predicate(run):
        if run.ended():
            return False
        assert time.monotonic() < end, f"the phase {run.plan.phase} never came: {run.text()}"
        time.sleep(0.002)
    time.sleep(run.plan.delay)
    return not run.ended()


def send(number, *pids):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def attack(run):
    """Does the deed; returns the pids that have to go because of it, by what they are."""
    plan, parts = run.plan, Parts(run)
    named = {name: getattr(parts, name) for name in ("avocado", "supervisor", "body", "guardian", "qemu", "sweeper")}
    fate = {
        "avocado": ("supervisor", "body", "guardian", "qemu", "sweeper"),
        "supervisor": ("supervisor", "body", "qemu", "sweeper"),
        # To a test SIGINT is an exception: it takes its machine down, and may take its time.
        "body": ("body", "qemu") if plan.signal != INT else (),
        "guardian": ("guardian", "qemu"),
        "qemu": ("qemu",) if plan.signal == KILL else (),
        "sweeper": (),
    }
    doomed = set()

    def hit(target):
        # Of several tasks only one is hit, and only what is its own for sure has to go.
        single = target in ("supervisor", "body", "qemu", "sweeper")
        victims = named[target][:1] if single else named[target]
        send(plan.signal, *victims)
        if target == "qemu" or (single and plan.kind == "two machines"):
            doomed.update(victims if target in fate[target] else ())
        elif victims:
            doomed.update(pid for name in fate[target] for pid in named[name])

    if plan.target in named:
        if not named[plan.target]:
            plan.target = "avocado"
        hit(plan.target)
    elif plan.target == "supervisor and body":
        hit("body")
        hit("supervisor")
    elif plan.target in NEEDS_PLUGIN:
        # A supervisor that runs would start another sweeper at once.
        send(signal.SIGSTOP, *parts.supervisor)
        send(KILL, *parts.sweeper)
        if plan.target == "all but avocado":
            send(KILL, *parts.guardian, *parts.body)
        send(KILL, *parts.supervisor)
        # What a test has started by its own means has lost the last one who could find it.
        doomed.update(pid for name in ("supervisor", "body", "qemu") for pid in named[name])
        plan.spares_children = True
    elif plan.target == "everything":
        for name in ("avocado", "supervisor", "body", "guardian"):
            hit(name)
        doomed.update(run.processes())
    elif plan.target == "two":
        hit(plan.both[0])
        time.sleep(plan.gap)
        hit(plan.both[1])
    elif plan.target.startswith("ctrl-c"):
        # The terminal tells all of its foreground.
        os.killpg(run.process.pid, INT)
        if plan.target.endswith("twice"):
            time.sleep(0.1 + plan.gap)
            if not run.ended():
                os.killpg(run.process.pid, INT)
        doomed.update(pid for name in fate["avocado"] for pid in named[name] if name != "guardian")
    elif plan.target == "stopped avocado":
        send(signal.SIGSTOP, run.process.pid)
        time.sleep(0.2)
        hit("avocado")
    if plan.signal == KILL and plan.target in ("avocado", "everything", "stopped avocado"):
        run.process.wait()
    elif plan.target == "avocado":
        doomed -= set(named["guardian"])  # it goes when Avocado has, which takes its time
    return doomed - {run.process.pid}


def verdict(took, left):
    """What is to be said of processes that were gone after `took` seconds, but for those left."""
    if left:
        return [f"survivors: {left}"]
    load = os.getloadavg()[0]
    return [f"gone only after {took:.2f} s (load {load:.1f} on {os.cpu_count()} CPUs)"] if took > GONE_WITHIN else []


def bring_to_end(run):
    """Lets the job end by itself, or has it end as Avocado is told to."""
    if run.plan.patient and run.plan.target in JOB_GOES_ON:
        end = time.monotonic() + JOB_ENDS_WITHIN
        while not run.ended() and time.monotonic() < end:
            time.sleep(0.01)
        if not run.ended():
            run.process.terminate()
            return "the job hangs"
        return None
    end = time.monotonic() + 30
    if not run.ended():
        run.process.terminate()
    while not run.ended() and time.monotonic() < end:
        time.sleep(0.01)
    if not run.ended():
        run.process.kill()
        run.process.wait()
    return None


def one(world, number, seed, real=False):
    """A run from its start to the verdict: a dictionary for the report, with the complaints in it."""
    rng = random.Random(f"{seed}-{number}-{real}")
    plan = make_plan(rng, real, world.net is not None)
    plan.born = time.time() - 0.01
    complaints = []
    run, witness = start(world, number, plan)
    result = {"number": number, "real": real, "kind": plan.kind, "small": plan.small, "delay": round(plan.delay, 3)}
    reached = reach(run)
    result.update(phase=plan.phase if reached else "over", load=os.getloadavg()[0])
    if reached:
        doomed = attack(run)
        took, left = await_gone(lambda: [pid for pid in doomed if alive(pid)])
        result["gone"] = round(took, 3)
        complaints += verdict(took, [command_line(pid) for pid in left])
        began = time.monotonic()
        if (words := bring_to_end(run)) is not None:
            complaints.append(words)
        result["job_end"] = round(time.monotonic() - began, 3)
        if "PROTOCOL" in run.text():
            complaints.append(run.text()[-2000:])
        if getattr(plan, "spares_children", False):
            send(KILL, *run.sleepers())
    result.update(target=plan.target, signal=plan.signal.name)
    took, left = await_gone(run.processes)
    result["all_gone"] = round(took, 3)
    complaints += verdict(took, [command_line(pid) for pid in left])
    send(KILL, *left)
    if not reached and run.process.returncode != 0:
        complaints.append(f"the job failed before anything was done to it: {run.text()[-2000:]}")
    if witness is not None:
        status = witness.process.wait(timeout=120)
        await_gone(witness.processes)
        if status != 0:
            complaints.append(f"the other job noticed: {witness.text()}")
    complaints += clear_up(world, number, plan)
    result["complaints"] = complaints
    run.output.close()
    return result


def clear_up(world, number, plan):
    """The next command, and what is left after it."""
    complaints = []
    if plan.next_command == "job":
        plan.born = time.time()
        job = Run(world, f"{number}-next", plan, ["soak.machine"], world.params(["seconds=0"]))
        if job.process.wait(timeout=120) != 0:
            complaints.append(f"the next job failed: {job.text()[-2000:]}")
        _, left = await_gone(job.processes)
        if left:
            complaints.append(f"survivors of the next job: {[command_line(pid) for pid in left]}")
    else:
        done = world.site.runner("reap")
        if done.returncode != 0:
            complaints.append(f"reap: {done.returncode}: {done.stdout}{done.stderr}")
    return complaints + world.leftovers()


def table(results):
    """The figures, for people."""
    lines = []
    for title, key in (
        ("phase", lambda row: row["phase"]),
        ("target and signal", lambda row: f"{row['target']} {row['signal']}"),
        ("kind of job", lambda row: row["kind"] + (", real guest" if row["real"] else "")),
    ):
        groups = collections.defaultdict(list)
        for row in results:
            groups[key(row)].append(row)
        lines.append(f"{title:32} {'runs':>5} {'slowest':>8} {'> 2 s':>6} {'job end':>8} {'hangs':>6} {'failed':>7}")
        for name, rows in sorted(groups.items()):
            times = [max(row.get("gone", 0), row["all_gone"]) for row in rows]
            late = sum(seconds > GONE_WITHIN for seconds in times)
            failed = sum(bool(row["complaints"]) for row in rows)
            ends = max(row.get("job_end", 0) for row in rows)
            hangs = sum("the job hangs" in row["complaints"] for row in rows)
            lines.append(f"{name:32} {len(rows):5} {max(times):7.2f}s {late:6} {ends:7.2f}s {hangs:6} {failed:7}")
        lines.append("")
    return "\n".join(lines)


def campaign(seed, fake=0, real=0, bootstrap=0, first=1, tell=print):
    """So many runs of each kind; their results. Each one with a complaint is told at once."""
    results = []

    def take(result):
        results.append(result)
        if result["complaints"]:
            tell(json.dumps(result))

    for is_real, count in ((False, fake), (True, real)):
        if count or (bootstrap and not is_real):
            world = World(is_real)
            for number in range(first, first + count):
                take(one(world, number, seed, is_real))
                yield results[-1]
            for number in range(first, first + bootstrap if not is_real else first):
                take(one_bootstrap(world, number, random.Random(f"{seed}-{number}-bootstrap")))
                yield results[-1]
            world.remove()


def main():
    parser = argparse.ArgumentParser(description="Kills jobs at random moments and looks at what is left.")
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)))
    parser.add_argument("--fake", type=int, default=0, metavar="N", help="runs with the fake machine")
    parser.add_argument("--real", type=int, default=0, metavar="N", help="runs with the real guest")
    parser.add_argument("--bootstrap", type=int, default=0, metavar="N", help="killed bootstraps")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="NUMBER")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE", help="a line of JSON for each run")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    # In the background of a shell it would be ignored, by us and by all that we start.
    signal.signal(INT, signal.default_int_handler)
    results = []
    for result in campaign(arguments.seed, arguments.fake, arguments.real, arguments.bootstrap, arguments.first):
        results.append(result)
        if arguments.report:
            with open(arguments.report, "a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
    print(table(results))
    return 1 if any(row["complaints"] for row in results) else 0


if __name__ == "__main__":
    sys.exit(main())
