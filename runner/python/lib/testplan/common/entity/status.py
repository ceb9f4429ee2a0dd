# SPDX-License-Identifier: GPL-2.0-or-later
"""Status machines. Which status may follow which is the core's knowledge; a class may add statuses of its own."""

import _vt


class StatusTransitionException(Exception):
    """A status that may not follow the present one."""


class EntityStatus:
    """The status of an entity. Compares with a status's text."""

    NONE = None
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"
    RESUMING = "RESUMING"

    def __init__(self):
        self._machine = _vt.driver.StatusMachine(self.transitions())
        self._metadata = {}

    def __getstate__(self):
        return {"tag": self.tag, "metadata": self._metadata}

    def __setstate__(self, state):
        self.__init__()
        self._machine.force(state["tag"])
        self._metadata = state["metadata"]

    @property
    def tag(self):
        """The present status."""
        return self._machine.current

    @property
    def metadata(self):
        return self._metadata

    def __eq__(self, other):
        if isinstance(other, EntityStatus):
            return self.tag == other.tag
        if other is None or isinstance(other, str):
            return self.tag == other
        return NotImplemented

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__}[{self.tag}]"

    def change(self, new):
        """Goes to another status. Raises StatusTransitionException."""
        self._machine.change(new)

    def reset(self):
        """Back to NONE."""
        self._machine.reset()

    def wait(self, target, timeout):
        """True once it is `target`, False if it is not within `timeout` seconds. A change wakes who waits."""
        return self._machine.wait(target, timeout)

    def update_metadata(self, **metadata):
        self._metadata.update(metadata)

    def clear_metadata(self):
        self._metadata = {}

    def transitions(self):
        """For each status those that may follow."""
        return _vt.driver.entity_transitions()


class ResourceStatus(EntityStatus):
    """Of what is started and stopped."""

    STARTING = "STARTING"
    STARTED = "STARTED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"

    def transitions(self):
        return {**super().transitions(), **_vt.driver.resource_transitions()}


class RunnableStatus(EntityStatus):
    """Of what runs steps."""

    EXECUTING = "EXECUTING"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"

    def transitions(self):
        return {**super().transitions(), **_vt.driver.runnable_transitions()}
