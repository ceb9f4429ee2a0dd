# SPDX-License-Identifier: GPL-2.0-or-later
"""Where background threads put what went wrong (sys.exc_info()); the test ends as ERROR for it."""

import queue


class EventBus:
    """A queue that can be emptied at once."""

    def __init__(self):
        self.error_events = queue.Queue()

    def __getstate__(self):
        return {}

    def __setstate__(self, state):
        self.error_events = queue.Queue()

    def __len__(self):
        return self.error_events.qsize()

    def put(self, event, block=True, timeout=None):
        """Adds an event."""
        self.error_events.put(event, block, timeout)

    def get(self, block=True, timeout=None):
        """Takes the oldest event; raises queue.Empty."""
        return self.error_events.get(block, timeout)

    def get_all(self):
        """Takes all events."""
        events = []
        while True:
            try:
                events.append(self.get(block=False))
            except queue.Empty:
                return events

    def clear(self):
        """Drops all events."""
        self.get_all()


error_events_bus = EventBus()
