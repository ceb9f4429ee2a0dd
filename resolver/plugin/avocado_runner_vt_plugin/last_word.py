# SPDX-License-Identifier: GPL-2.0-or-later
"""No job waits for a runner that is gone.

Avocado waits without end for a task whose runner ended and never said `finished`, as one that was killed together with
whatever would speak in its place. Avocado's own process sees that end; so here each task of ours is looked after until
its result is there.
"""

import asyncio
import functools
import signal

from avocado.core.dispatcher import SpawnerDispatcher
from avocado.core.output import LOG_JOB
from avocado.core.plugin_interfaces import JobPost, JobPre
from avocado.core.task.runtime import RuntimeTaskStatus
from avocado.core.utils import messages

from .joblock import KINDS

# For what was said in the runner's place, or by the runner, to be read. Seconds.
PATIENCE = 5
STEP = 0.1
MARK = "_vt_drops_late_words"
# With these a task has ended when it has been spawned; to wait for one would type into the shell that the next one uses.
ENDED_WHEN_SPAWNED = ("lxc", "remote")


def reason(runtime_task):
    """Why there is no result, as far as the spawner knows how the runner ended."""
    process = getattr(runtime_task.spawner_handle, "process", None)
    status = getattr(process, "returncode", None)
    how = "is gone"
    if isinstance(status, int) and status < 0:
        try:
            name = f" ({signal.Signals(-status).name})"
        except ValueError:
            name = ""
        how = f"was killed by signal {-status}{name}"
    elif status:
        how = f"ended with status {status}"
    return f"the runner {how} before the test was over; if nobody did it, memory ran out: see the kernel's log"


def drop_late_words(repo):
    """What comes behind `finished` would hang the job, or count a test twice."""
    if getattr(repo, MARK, False):
        return
    setattr(repo, MARK, True)
    process_message = repo.process_message

    def guarded(message):
        identifier = message.get("id")
        if repo.get_task_status(identifier) == "finished" and message.get("job_id") == repo.job_id:
            LOG_JOB.debug("%s: a message that came after its end is dropped", identifier)
        else:
            process_message(message)

    repo.process_message = guarded


def is_over(repo, runtime_task):
    """Whether there is a result, or Avocado itself sees to one."""
    ended = (RuntimeTaskStatus.TIMEOUT, RuntimeTaskStatus.INTERRUPTED, RuntimeTaskStatus.FAILFAST)
    return repo.get_task_status(str(runtime_task.task.identifier)) == "finished" or runtime_task.status in ended


async def look_after(spawner, runtime_task, repo):
    """Waits for the end of a task, and speaks for it if nobody else does."""
    if spawner.config.get("run.spawner") not in ENDED_WHEN_SPAWNED:
        try:
            await spawner.wait_task(runtime_task)
        except asyncio.CancelledError:
            return  # Avocado ends the task, and says so itself
    for _ in range(int(PATIENCE / STEP)):
        if is_over(repo, runtime_task):
            return
        await asyncio.sleep(STEP)
    if not is_over(repo, runtime_task):
        speak(repo, runtime_task)


def speak(repo, runtime_task):
    """Says what the runner of a task can say no more."""
    task = runtime_task.task
    names = {"id": str(task.identifier), "job_id": task.job_id}
    words = reason(runtime_task)
    LOG_JOB.error("%s: %s", names["id"], words)
    if repo.get_task_status(names["id"]) is None:
        repo.process_message(messages.StartedMessage.get(output_dir=task.runnable.output_dir, **names))
    repo.process_message(messages.FinishedMessage.get("error", words, fail_class="RunnerError", **names))


class VTLastWord(JobPre, JobPost):
    """Looks after the tasks of a job, whatever spawner they are run by."""

    name = "vt-last-word"
    description = "A result for tests whose runner was killed"

    def __init__(self):
        self._suites = []
        self._watched = []
        self._looking = set()

    def pre(self, job):
        for suite in job.test_suites:
            if any(test.kind in KINDS for test in suite.tests or []):
                self._suites.append(suite)
                self._watch(type(SpawnerDispatcher(suite.config, job)[suite.config.get("run.spawner")].obj))

    def post(self, job):
        for spawner, original in self._watched:
            spawner.spawn_task = original
        self._watched = []

    def _watch(self, spawner):
        """Has spawn_task() of that class tell of each task."""
        if any(known is spawner for known, _ in self._watched):
            return
        original = spawner.spawn_task
        self._watched.append((spawner, original))

        @functools.wraps(original)
        async def spawn_task(its_spawner, runtime_task):
            spawned = await original(its_spawner, runtime_task)
            if spawned and runtime_task.task.runnable.kind in KINDS:
                self._begin(its_spawner, runtime_task)
            return spawned

        spawner.spawn_task = spawn_task

    def _begin(self, spawner, runtime_task):
        for suite in self._suites:
            if suite.config is spawner.config:
                drop_late_words(suite.runner.status_repo)
                looking = asyncio.ensure_future(look_after(spawner, runtime_task, suite.runner.status_repo))
                self._looking.add(looking)  # the loop itself holds no task
                looking.add_done_callback(self._looking.discard)
