# SPDX-License-Identifier: GPL-2.0-or-later
"""Runnable: an entity that runs steps between the start and the stop of its environment."""

import traceback
from collections import deque

from testplan.common.config import ConfigOption
from testplan.common.config.check import Or
from testplan.common.entity.base import Entity, EntityConfig, Environment, RunnableStatus
from testplan.common.utils.strings import uuid4


class RunnableConfig(EntityConfig):
    """Options of what runs steps."""

    @classmethod
    def get_options(cls):
        return {
            ConfigOption("interactive_port", default=None): Or(None, int),
            ConfigOption("interactive_block", default=False): bool,
        }


class RunnableResult:
    """What each step returned or raised; `run` is True once all have run."""

    def __init__(self):
        self.step_results = {}
        self.run = False

    def __repr__(self):
        return f"{type(self).__name__}[{vars(self)}]"


class Runnable(Entity):
    """Steps and an environment."""

    CONFIG = RunnableConfig
    STATUS = RunnableStatus
    RESULT = RunnableResult
    ENVIRONMENT = Environment

    def __init__(self, **options):
        super().__init__(**options)
        if self.cfg.get_local("interactive_port") is not None:
            from testplan._lazy import not_here

            raise not_here("the interactive mode", "run the plan, or a debugger on it")
        self._environment = self.ENVIRONMENT(parent=self)
        self.result = self.RESULT()
        self._steps = deque()

    @property
    def resources(self):
        """Its environment."""
        return self._environment

    @property
    def interactive(self):
        return None

    def add_resource(self, resource, uid=None):
        """Adds a resource to its environment; returns the name there."""
        resource.parent = self
        resource.cfg.parent = self.cfg
        return self.resources.add(resource, uid=uid or uuid4())

    def _add_step(self, step, *args, **kwargs):
        self._steps.append((step, args, kwargs))

    def pre_step_call(self, step):
        """Before each step."""

    def skip_step(self, step):
        """Whether a step is left out."""
        return False

    def post_step_call(self, step):
        """After each step."""

    def setup(self):
        """The first step."""

    def teardown(self):
        """The last one."""

    def add_pre_resource_steps(self):
        """Steps before the environment is started."""

    def add_start_resource_steps(self):
        """The start of the environment."""
        self._add_step(self.resources.start)

    def add_pre_main_steps(self):
        """Steps before the main ones."""

    def add_main_batch_steps(self):
        """What it is for."""

    def add_post_main_steps(self):
        """Steps after the main ones."""

    def add_stop_resource_steps(self):
        """The stop of the environment."""
        self._add_step(self.resources.stop, is_reversed=True)

    def add_post_resource_steps(self):
        """Steps after the environment has stopped."""

    def run(self):
        """Runs all steps; returns the result."""
        self._add_step(self.setup)
        self.add_pre_resource_steps()
        self.add_start_resource_steps()
        self.add_pre_main_steps()
        self.add_main_batch_steps()
        self.add_post_main_steps()
        self.add_stop_resource_steps()
        self.add_post_resource_steps()
        self._add_step(self.teardown)
        self.status.change(self.STATUS.RUNNING)
        while self._steps and self.active:
            step, args, kwargs = self._steps.popleft()
            self.pre_step_call(step)
            if not self.skip_step(step):
                self._execute_step(step, *args, **kwargs)
            self.post_step_call(step)
        self.status.change(self.STATUS.FINISHED)
        self.result.run = self.active
        return self.result

    def _execute_step(self, step, *args, **kwargs):
        name = getattr(step, "__name__", str(step))
        try:
            outcome = step(*args, **kwargs)
        except Exception as error:
            self.logger.error("Exception on %s, step %s - %s\n%s", self, name, error, traceback.format_exc())
            self._step_failed(name, error)
            outcome = error
        self.result.step_results[name] = outcome

    def _step_failed(self, name, error):
        """A step raised what no test is to blame for."""

    def pausing(self):
        for resource in self.resources:
            resource.pause()
        self.status.change(self.STATUS.PAUSED)

    def resuming(self):
        for resource in self.resources:
            resource.resume()
        self.status.change(self.STATUS.RUNNING)

    def abort_dependencies(self):
        """Its resources."""
        return iter(list(self.resources))


class RunnableManager(Entity):
    """What holds a runnable and runs it."""

    def __init__(self, runnable, **options):
        super().__init__(**options)
        self._runnable = runnable

    @property
    def runnable(self):
        return self._runnable

    def run(self):
        return self._runnable.run()
