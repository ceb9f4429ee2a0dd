# SPDX-License-Identifier: GPL-2.0-or-later
"""Statuses of reports."""

import enum


class Status(enum.Enum):
    """From the best to the worst."""

    NONE = None
    PASSED = "passed"
    XFAIL = "xfail"
    XPASS = "xpass"
    SKIPPED = "skipped"
    UNSTABLE = "unstable"
    XPASS_STRICT = "xpass-strict"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    ERROR = "error"

    @property
    def _rank(self):
        # What was expected to fail, and what was skipped, does not make a plan fail.
        ranks = {"NONE": 0, "PASSED": 1, "XFAIL": 1, "XPASS": 1, "SKIPPED": 1, "UNSTABLE": 1}
        return ranks.get(self.name, 2 + list(Status.__members__).index(self.name))

    def __le__(self, other):
        return self._rank <= other._rank

    def __lt__(self, other):
        return self._rank < other._rank

    def __bool__(self):
        return self is not Status.NONE

    @classmethod
    def worst(cls, statuses):
        """The worst of them; PASSED if there is none."""
        found = cls.PASSED
        for status in statuses:
            if found < status:
                found = status
        return found


class RuntimeStatus(enum.Enum):
    NONE = None
    READY = "ready"
    WAITING = "waiting"
    RUNNING = "running"
    RESETTING = "resetting"
    FINISHED = "finished"
    NOT_RUN = "not_run"
