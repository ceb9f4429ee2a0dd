# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting and taking times."""

import datetime
import functools
import os
import threading
import time
from collections import namedtuple

PollInterval = "seconds, or (the first, the longest) of intervals that double"
DEFAULT_INTERVAL = 0.2
#: The default interval is the longest one: looking begins with this and doubles.
FIRST_INTERVAL = 0.01


class TimeoutException(Exception):
    """What was awaited did not come in time."""


class TimeoutExceptionInfo:
    """Since when somebody waits, for messages."""

    def __init__(self, start_time=None):
        self.started = time.time() if start_time is None else start_time

    def msg(self):
        ended = time.time()
        began, raised = (
            datetime.datetime.fromtimestamp(moment).strftime("%Y-%m-%d %H:%M:%S") for moment in (self.started, ended)
        )
        return f"Started at {began}, raised at {raised} after {round(ended - self.started, 2)}s."


def intervals(interval):
    """Seconds to wait, one after the other."""
    if interval == DEFAULT_INTERVAL:
        interval = (FIRST_INTERVAL, DEFAULT_INTERVAL)
    if not isinstance(interval, (tuple, list)):
        interval = (interval, interval)
    current, longest = interval
    while True:
        yield current
        current = min(current * 2, longest)


def timeout(seconds, err_msg="Timeout after {} seconds."):
    """Decorator: the function gets a thread and this many seconds. The result is a list: True and what it returned, or
    False and its traceback."""

    def decorate(function):
        @functools.wraps(function)
        def limited(*args, **kwargs):
            import traceback

            result = []

            def run():
                try:
                    result.extend((True, function(*args, **kwargs)))
                except Exception:
                    result.extend((False, traceback.format_exc()))
                except SystemExit:
                    pass  # given up, see _end_thread()

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            thread.join(seconds)
            if thread.is_alive():
                _end_thread(thread)
                raise TimeoutException(err_msg.format(seconds))
            return result

        return limited

    return decorate


def _end_thread(thread):
    """SystemExit in a thread that goes on for too long; it comes at its next line of Python."""
    import ctypes

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


def wait(predicate, timeout, interval=0.05, raise_on_timeout=True):
    """Asks until the answer is True; the last answer if it is not and nothing is to be raised."""
    end = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer is True:
            return answer
        left = end - time.monotonic()
        if left <= 0:
            if not raise_on_timeout:
                return answer
            told = getattr(answer, "error_msg", "")
            raise TimeoutException(f"Timeout after {timeout} seconds." + (os.linesep + told if told else ""))
        time.sleep(min(interval, left))


def wait_until_predicate(predicate, timeout, interval=1.0):
    """Raises RuntimeError if the predicate becomes True before the time is over."""
    try:
        wait(predicate, timeout, interval)
    except TimeoutException:
        return
    raise RuntimeError("Early finish of wait(), predicate: True.")


def retry_until_timeout(exception, item, timeout, args=None, kwargs=None, interval=0.05, raise_on_timeout=True):
    """Calls `item` until it does not raise `exception`."""
    info = TimeoutExceptionInfo()
    end = time.monotonic() + timeout
    while True:
        try:
            return item(*(args or ()), **(kwargs or {}))
        except exception as error:
            if time.monotonic() < end:
                time.sleep(interval)
                continue
            if not raise_on_timeout:
                return None
            name = getattr(item, "__name__", repr(item))
            raise TimeoutException(
                f"Timeout waiting for {name} to return without {exception.__name__}. {info.msg()} {error}"
            ) from error


def utcnow():
    """Now, aware of its zone, UTC."""
    return datetime.datetime.now(tz=datetime.timezone.utc)


def now():
    """Now, aware of the local zone."""
    return datetime.datetime.now().astimezone()


class Interval(namedtuple("_Interval", "start end")):
    """From when to when."""

    __slots__ = ()

    @property
    def elapsed(self):
        """Seconds; None while it goes on."""
        return (self.end - self.start).total_seconds() if self.start and self.end else None


class _Record:
    def __init__(self, timer, key):
        self._timer, self._key, self.start_ts = timer, key, None

    def __enter__(self):
        self.start_ts = now()

    def __exit__(self, *_):
        self._timer.setdefault(self._key, []).append(Interval(self.start_ts, now()))


class Timer(dict):
    """Intervals by the names of what took them."""

    def record(self, key):
        """A context manager that takes the time."""
        return _Record(self, key)

    def start(self, key):
        self.setdefault(key, []).append(Interval(now(), None))

    def end(self, key):
        """Raises KeyError unless the last one goes on."""
        taken = self.get(key)
        if not taken or taken[-1].end is not None:
            raise KeyError(f"`start` missing for {key}, cannot record end.")
        taken[-1] = Interval(taken[-1].start, now())

    def first(self, key):
        return self[key][0]

    def last(self, key):
        return self[key][-1]

    def merge(self, timer):
        for key, taken in timer.items():
            self.setdefault(key, []).extend(taken)


def timer(key):
    """Decorator: the method's time goes to `self.timer` as `key`."""

    def decorate(function):
        @functools.wraps(function)
        def timed(self, *args, **kwargs):
            with self.timer.record(key):
                return function(self, *args, **kwargs)

        return timed

    return decorate


def with_timer(function):
    """Decorator: the method's time goes to `self.timer` under its name."""
    return timer(function.__name__)(function)


def parse_duration(duration):
    """Seconds of "1h 20m 30s"."""
    import re

    units = {"h": 3600, "m": 60, "s": 1}
    words = re.findall(r"(\d+)\s*([hms])[a-z]*", duration.lower())
    if not words:
        raise ValueError(f"'{duration}' is no duration; '1h 20m 30s' is one")
    return sum(int(number) * units[unit] for number, unit in words)


def format_duration(duration):
    """"1 hours 20 minutes 30 seconds" of seconds."""
    hours, rest = divmod(duration, 3600)
    minutes, seconds = divmod(rest, 60)
    words = []
    if hours >= 1:
        words.append(f"{int(hours)} hours")
    if minutes >= 1:
        words.append(f"{int(minutes)} minutes")
    if seconds:
        words.append(f"{seconds} seconds")
    return " ".join(words)


def exponential_interval(initial=0.1, multiplier=2, maximum=None, minimum=None):
    """Numbers that grow (or shrink) by a factor, within bounds."""
    value = initial
    while True:
        bounded = value if minimum is None else max(value, minimum)
        yield bounded if maximum is None else min(bounded, maximum)
        if maximum is None or value < maximum:
            value *= multiplier


def get_sleeper(interval, timeout=10, raise_timeout_with_msg=None, timeout_info=False):
    """For `while next(sleeper): look`: True at first and after each pause, at the end False or a TimeoutException."""
    info = TimeoutExceptionInfo()
    end = time.monotonic() + timeout
    for pause in intervals(interval):
        yield True
        left = end - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(pause, left))
    if raise_timeout_with_msg:
        text = raise_timeout_with_msg() if callable(raise_timeout_with_msg) else raise_timeout_with_msg
        raise TimeoutException(f"{text}. {info.msg()}" if timeout_info else text)
    yield False
