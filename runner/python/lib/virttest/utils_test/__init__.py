# SPDX-License-Identifier: GPL-2.0-or-later
"""Helpers of tests that run something beside themselves."""

import logging
import re

from virttest.utils_misc import InterruptedThread
from virttest.utils_net import ping, raw_ping  # noqa: F401

LOG = logging.getLogger("avocado." + __name__)


class BackgroundTest:
    """Runs a function in a thread beside the test."""

    def __init__(self, func, params, kwargs=None):
        self.thread = InterruptedThread(func, params, kwargs or {})

    def start(self):
        """Starts it."""
        self.thread.start()

    def join(self, timeout=600, ignore_status=False):
        """Waits for its end; raises what it raised unless ignore_status is set."""
        return self.thread.join(timeout, suppress_exception=ignore_status)

    def is_alive(self):
        """True while it runs."""
        return self.thread.is_alive()


def get_loss_ratio(output):
    """How many percent of the packets ping lost, by its output; -1 if that does not say."""
    match = re.search(r"([\d.]+)% (?:packet )?loss", output)
    return int(float(match.group(1))) if match else -1
