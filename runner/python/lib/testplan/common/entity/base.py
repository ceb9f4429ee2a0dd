# SPDX-License-Identifier: GPL-2.0-or-later
"""Entity, and Resource: what is started and stopped."""

import os

import _vt
from testplan.common.config import Config, ConfigOption
from testplan.common.config.check import Or
from testplan.common.entity.environment import Environment
from testplan.common.entity.lives import Life
from testplan.common.entity.status import (
    EntityStatus,
    ResourceStatus,
    RunnableStatus,
    StatusTransitionException,
)
from testplan.common.utils.loggable import Loggable
from testplan.common.utils.path import default_runpath
from testplan.common.utils.strings import slugify, uuid4
from testplan.common.utils.timing import TimeoutException, Timer

__all__ = (
    "ActionResult",
    "Entity",
    "EntityConfig",
    "EntityStatus",
    "Environment",
    "FailedAction",
    "ReportLink",
    "Resource",
    "ResourceConfig",
    "ResourceStatus",
    "ResourceTimings",
    "Runnable",
    "RunnableConfig",
    "RunnableManager",
    "RunnableResult",
    "RunnableStatus",
    "StatusTransitionException",
)

NUMBER = (int, float)


def is_number(value):
    """Seconds: an integer or a float."""
    return isinstance(value, NUMBER)


class ReportLink:
    """What an entity adds to its parent's report: its times."""

    def __init__(self, name):
        self.name = name
        self.timer = Timer()
        self.children = []


class EntityConfig(Config):
    """Options of every entity."""

    @classmethod
    def get_options(cls):
        return {
            ConfigOption("runpath"): Or(None, str, callable),
            ConfigOption("path_cleanup", default=False): bool,
            ConfigOption("status_wait_timeout", default=600): is_number,
            ConfigOption("abort_wait_timeout", default=300): is_number,
            ConfigOption("active_loop_sleep", default=0.005): is_number,
        }


class Entity(Loggable):
    """Something with options, a status, a directory for its files, and an end that can be forced.

    :param runpath: its directory, or a function of the entity that returns it
    :param path_cleanup: whether the directory is emptied before
    :param status_wait_timeout: seconds that wait() takes at most
    :param abort_wait_timeout: seconds that the abortion of another entity may take
    :param active_loop_sleep: of the past; nothing sleeps in loops here
    """

    CONFIG = EntityConfig
    STATUS = EntityStatus

    def __init__(self, **options):
        super().__init__()
        self._cfg = self.CONFIG(**options)
        self._status = self.STATUS()
        self._wait_handlers = {}
        self._runpath = None
        self._scratch = None
        self._parent = None
        self._uid = None
        self._should_abort = False
        self._aborted = False
        self._report = None

    def __str__(self):
        return f"{type(self).__name__}[{self.uid()}]"

    @property
    def cfg(self):
        """Configuration object."""
        return self._cfg

    @property
    def status(self):
        """Status object."""
        return self._status

    @property
    def aborted(self):
        """Whether it was aborted."""
        return self._aborted

    @property
    def active(self):
        """Neither aborted nor being aborted."""
        return not self._should_abort and not self._aborted

    @property
    def runpath(self):
        """Its directory; None before make_runpath_dirs()."""
        return self._runpath

    @property
    def scratch(self):
        """A directory in it for what nobody looks at."""
        return self._scratch

    @property
    def parent(self):
        """The entity that it belongs to."""
        return self._parent

    @parent.setter
    def parent(self, value):
        self._parent = value

    @property
    def report(self):
        """What it adds to its parent's report."""
        if self._report is None:
            self._report = ReportLink(str(self))
            above = getattr(self._parent, "report", None)
            if isinstance(above, ReportLink):
                above.children.append(self._report)
        return self._report

    @property
    def timer(self):
        """What took how long."""
        return self.report.timer

    def pause(self):
        """Pauses it."""
        self.status.change(self.STATUS.PAUSING)
        self.pausing()

    def resume(self):
        """Lets it go on."""
        self.status.change(self.STATUS.RESUMING)
        self.resuming()

    def abort(self):
        """Ends it at once: first what it depends on, then itself. A second call does nothing."""
        if not self.active:
            return
        self._should_abort = True
        for dependency in self.abort_dependencies():
            self._abort_entity(dependency)
        self.logger.info("Aborting %s", self)
        self.aborting()
        self._aborted = True
        self.logger.info("Aborted %s", self)

    def abort_dependencies(self):
        """What is to be aborted before: nothing, unless a class says otherwise."""
        return iter(())

    def _abort_entity(self, entity):
        try:
            entity.abort()
        except Exception as error:
            import traceback

            self.logger.error("Exception on aborting %s - %s\n%s", entity, error, traceback.format_exc())

    def aborting(self):
        """What a class does to end at once."""
        self.logger.debug("%s has nothing to do when it is aborted", self)

    def pausing(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be paused: it has no pausing()")

    def resuming(self):
        raise NotImplementedError(f"{type(self).__name__} cannot be resumed: it has no resuming()")

    def wait(self, target_status, timeout=None):
        """Waits until it has this status. Raises TimeoutException."""
        timeout = self.cfg.status_wait_timeout if timeout is None else timeout
        handler = self._wait_handlers.get(target_status)
        if handler is not None:
            handler(timeout=timeout)
        elif not self.status.wait(target_status, timeout):
            raise TimeoutException(
                f"Timeout after {timeout} seconds: {self} is {self.status.tag}, not {target_status}"
            )

    def uid(self):
        """A name of its own."""
        if not self._uid:
            self._uid = uuid4()
        return self._uid

    def define_runpath(self):
        """Its directory: what the options say, else one in its parent's, else one of the user's below /var/tmp."""
        given = self.cfg.get_local("runpath")
        if given:
            self._runpath = given(self) if callable(given) else given
        elif self.parent is not None and self.parent.runpath:
            self._runpath = os.path.join(self.parent.runpath, slugify(self.uid()))
        else:
            self._runpath = default_runpath(self)

    def make_runpath_dirs(self):
        """Makes its directories, empty if `path_cleanup` says so."""
        self.define_runpath()
        if not self._runpath:
            raise RuntimeError(f"{self} has no run path")
        self._scratch = os.path.join(self._runpath, "scratch")
        _vt.driver.make_run_path(self._runpath, self.cfg.path_cleanup)
        _vt.driver.make_run_path(self._scratch, False)
        self.logger.debug("%s has %s runpath and pid %d", self, self._runpath, os.getpid())

    @classmethod
    def filter_locals(cls, local_vars):
        """The arguments of an __init__ from its locals(), without those that are None."""
        left_out = ("cls", "self", "kwargs", "options", "__class__", "__dict__")
        return {name: value for name, value in local_vars.items() if name not in left_out and value is not None}

    def context_input(self, exclude=None):
        """All that a template may name: every attribute."""
        exclude = exclude or ()
        return {name: getattr(self, name) for name in dir(self) if name not in exclude}


class FailedAction:
    """False, with the reason."""

    def __init__(self, error_msg):
        self.error_msg = error_msg

    def __bool__(self):
        return False


ActionResult = (bool, FailedAction)


class ResourceConfig(EntityConfig):
    """Options of every resource."""

    @classmethod
    def get_options(cls):
        return {
            ConfigOption("async_start", default=True): bool,
            ConfigOption("auto_start", default=True): bool,
            ConfigOption("pre_start", default=None): Or(callable, None),
            ConfigOption("post_start", default=None): Or(callable, None),
            ConfigOption("pre_stop", default=None): Or(callable, None),
            ConfigOption("post_stop", default=None): Or(callable, None),
        }


class ResourceTimings:
    """Keys in a resource's timer."""

    RESOURCE_SETUP = "setup"
    RESOURCE_TEARDOWN = "teardown"


class Resource(Entity):
    """What is started and stopped, and has values that others may ask for.

    :param async_start: start() does not wait until it has started
    :param auto_start: whether its environment starts it
    :param pre_start: called with the resource before it starts; so are post_start, pre_stop, post_stop
    """

    CONFIG = ResourceConfig
    STATUS = ResourceStatus

    def __init__(self, **options):
        super().__init__(**options)
        self._context = None
        self._failovers = []
        self._life = None
        self._wait_handlers.update(
            {self.STATUS.STARTED: self._wait_started, self.STATUS.STOPPED: self._wait_stopped}
        )

    @property
    def context(self):
        """The environment that it is in."""
        return self._context

    @context.setter
    def context(self, context):
        self._context = context

    @property
    def async_start(self):
        """Whether whoever starts it also waits for it."""
        return self.cfg.async_start

    @property
    def auto_start(self):
        """Whether its environment starts it."""
        return self.cfg.auto_start

    def start(self):
        """Starts it, by starting(). Does nothing if it is up already, or aborted."""
        if not self.active:
            self.logger.warning("%s was aborted and is not started", self)
            return
        if self.status in (self.STATUS.STARTING, self.STATUS.STARTED):
            self.logger.debug("%s is started already", self)
            return
        self.timer.start("lifespan")
        self.logger.info("Starting %s", self)
        self.timer.start(ResourceTimings.RESOURCE_SETUP)
        self.status.change(self.STATUS.STARTING)
        self._life = Life(str(self.uid()), type(self).__name__)
        try:
            self.pre_start()
            self._call_hook("pre_start")
            self.starting()
            if not self.async_start:
                self.wait(self.STATUS.STARTED)
                self.logger.info("%s started", self)
        except BaseException:
            self._life.failed("did not start")
            raise

    def stop(self):
        """Stops it, by stopping(). Does nothing if it was not started, or is down already."""
        if self.status == self.STATUS.NONE:
            self.logger.info("%s not started, skip stopping", self)
            return
        if self.status in (self.STATUS.STOPPING, self.STATUS.STOPPED):
            self.logger.debug("%s is stopped already", self)
            return
        self.logger.info("Stopping %s", self)
        self.timer.start(ResourceTimings.RESOURCE_TEARDOWN)
        self.status.change(self.STATUS.STOPPING)
        self.pre_stop()
        self._call_hook("pre_stop")
        self.stopping()
        if not self.async_start:
            self.wait(self.STATUS.STOPPED)
            self.logger.info("%s stopped", self)
        self._end_timer("lifespan")

    def _call_hook(self, name):
        hook = getattr(self.cfg, name)
        if hook:
            hook(self)

    def _end_timer(self, key):
        try:
            self.timer.end(key)
        except KeyError:
            self.logger.debug("the time of '%s' of %s is taken already", key, self)

    def pre_start(self):
        """Before it starts."""

    def post_start(self):
        """After it has started."""

    def pre_stop(self):
        """Before it stops."""

    def post_stop(self):
        """After it has stopped."""

    def fetch_error_log(self):
        """Lines of its logs for a report of what went wrong."""
        return []

    def _wait_started(self, timeout=None):
        self._after_started()

    def _after_started(self):
        self.status.change(self.STATUS.STARTED)
        self._end_timer(ResourceTimings.RESOURCE_SETUP)
        self.post_start()
        self._call_hook("post_start")

    def _wait_stopped(self, timeout=None):
        self._mark_stopped()

    def _mark_stopped(self):
        self.status.change(self.STATUS.STOPPED)
        if self._life is not None:
            self._life.stopped()
        self._end_timer(ResourceTimings.RESOURCE_TEARDOWN)
        self.post_stop()
        self._call_hook("post_stop")

    def starting(self):
        """What a class does to start."""
        raise NotImplementedError(f"{type(self).__name__} has no starting()")

    def stopping(self):
        """What a class does to stop."""
        raise NotImplementedError(f"{type(self).__name__} has no stopping()")

    def pausing(self):
        """Pause the resource."""
        self.status.change(self.STATUS.PAUSED)

    def resuming(self):
        """Resume the resource."""
        self.status.change(self.STATUS.STARTED)

    def restart(self):
        """Stops it and starts it again."""
        self.stop()
        if self.async_start:
            self.wait(self.STATUS.STOPPED)
        self.start()
        if self.async_start:
            self.wait(self.STATUS.STARTED)

    def force_stop(self):
        """STOPPED, after what went wrong."""
        self.status.change(self.STATUS.STOPPED)

    def force_started(self):
        """STARTED, after what went wrong."""
        self.status.change(self.STATUS.STARTED)

    def __enter__(self):
        self.start()
        if self.async_start:
            self.wait(self.STATUS.STARTED)
        return self

    def __exit__(self, *_):
        self.stop()
        if self.async_start:
            self.wait(self.STATUS.STOPPED)

    @property
    def is_alive(self):
        """Whether it is well; a class may look."""
        return True

    def pending_work(self):
        """Whether it has something to do yet."""
        return False

    def abort(self):
        """Ends it at once; a second call does nothing."""
        super().abort()
        if self._life is not None:
            self._life.aborted()

    def register_failover(self, klass, params):
        """A class, with its arguments, to be made in its place if it cannot start; see failover()."""
        self._failovers.append({"klass": klass, "params": params})

    def failover(self):
        """A started resource to take its place, or None: what a class makes of register_failover()."""
        return None


def __getattr__(name):
    # What runs steps is for plans and tests; drivers do without.
    if name in ("Runnable", "RunnableConfig", "RunnableManager", "RunnableResult"):
        from testplan.common.entity import runnable

        return getattr(runnable, name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
