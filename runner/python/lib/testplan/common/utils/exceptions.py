# SPDX-License-Identifier: GPL-2.0-or-later
"""Exceptions."""

import functools
import logging


class RunpathInUseError(RuntimeError):
    """Another plan works in the same directory."""


def should_raise(exception, item, args=None, kwargs=None, pattern=None):
    """Calls `item`, which has to raise `exception` with a text that `pattern` matches."""
    try:
        item(*(args or ()), **(kwargs or {}))
    except Exception as error:
        assert isinstance(error, exception), f"{error!r} is no {exception}"
        if pattern and not pattern.match(str(error)):
            raise Exception(f"Exception msg incorrect - {error}") from error
        return
    raise Exception(f"Should raise {exception} exception.")


def suppress_exception(logger=logging.getLogger(__name__)):
    """Decorator: what the function raises is logged, and that is all."""

    def decorate(function):
        @functools.wraps(function)
        def guarded(*args, **kwargs):
            try:
                return function(*args, **kwargs)
            except Exception as error:
                logger.exception(error)
                return None

        return guarded

    return decorate
