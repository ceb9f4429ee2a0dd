# SPDX-License-Identifier: GPL-2.0-or-later
"""When each resource was started and how its life ended, for a picture among the test's results."""

import os
import time

import _vt

_GOOD, _BAD, _KILLED, _LASTING = range(4)
_lives = []


class Life:
    """From one start to its end."""

    __slots__ = ("name", "what", "began", "ended", "how", "outcome")

    def __init__(self, name, what):
        self.name, self.what = name, what
        self.began, self.ended = time.monotonic(), None
        self.how, self.outcome = "has not ended", _LASTING
        _lives.append(self)

    def _end(self, how, outcome):
        if self.ended is None:
            self.ended, self.how, self.outcome = time.monotonic(), how, outcome

    def stopped(self):
        self._end("stopped", _GOOD)

    def failed(self, how):
        self._end(how, _BAD)

    def aborted(self):
        self._end("aborted", _KILLED)


def draw(directory, title):
    """Writes TITLE.timeline.svg with a bar for each life, if there were any. Returns the path."""
    if not _lives:
        return None
    zero, now = min(life.began for life in _lives), time.monotonic()
    bars = [
        (life.name, life.what, life.how, life.outcome, life.began - zero, (life.ended or now) - zero) for life in _lives
    ]
    path = os.path.join(directory, title.replace("/", "_") + ".timeline.svg")
    with open(path, "w", encoding="utf-8") as picture:
        picture.write(_vt.driver.timeline(title, bars))
    return path
