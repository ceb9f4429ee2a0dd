# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions that run after a test, last registered first, whether it passed or not."""

import logging

__all__ = ["register", "run_exitfuncs", "unregister"]

LOG = logging.getLogger("avocado." + __name__)


def _handlers(env, test_type):
    return env.data.setdefault("exithandlers__%s" % test_type, [])


def run_exitfuncs(env, test_type):
    """Runs them; returns what went wrong as text, empty if nothing did."""
    message = ""
    handlers = _handlers(env, test_type)
    while handlers:
        func, targs, kargs = handlers.pop()
        try:
            func(*targs, **kargs)
        except Exception as details:
            LOG.exception("exit function %s failed", func.__name__)
            message += "Error in %s: %s\n" % (func.__name__, details)
    return message


def register(env, test_type, func, *targs, **kargs):
    """Registers func(*targs, **kargs); returns func."""
    _handlers(env, test_type).append((func, targs, kargs))
    return func


def unregister(env, test_type, func, *targs, **kargs):
    """Takes a registration back; returns func."""
    handlers = _handlers(env, test_type)
    if handlers:
        handlers.remove((func, targs, kargs))
    return func
