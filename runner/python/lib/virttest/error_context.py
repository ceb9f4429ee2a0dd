# SPDX-License-Identifier: GPL-2.0-or-later
"""What a test is doing, for its log: each decorated function has a line of its own, exceptions carry all of them."""

import functools
import threading
import traceback

__all__ = ["format_error", "context_aware", "context", "get_context", "exception_context"]

ctx = threading.local()


def format_error():
    """The traceback of the exception that is being handled."""
    return traceback.format_exc()


def _contexts():
    if not hasattr(ctx, "contexts"):
        ctx.contexts = []
    return ctx.contexts


def _set(index, s, log):
    contexts = _contexts()
    if len(contexts) >= -index:
        contexts[index] = s
    if s and log:
        log("Context: %s" % get_context())


def context(s="", log=None):
    """Says what the decorated function that runs is doing now; log, a function, is given all contexts."""
    _set(-1, s, log)


def base_context(s="", log=None):
    """Says what it is doing on the whole; context() adds to that."""
    if len(_contexts()) > 1:
        ctx.contexts[-1] = ""
    _set(-2, s, log)


def get_context():
    """The contexts of all decorated functions that run, outermost first; None before the first."""
    if hasattr(ctx, "contexts"):
        return " --> ".join(s for s in ctx.contexts if s)
    return None


def exception_context(e):
    """What was being done when e was raised, or None."""
    return getattr(e, "_context", None)


def set_exception_context(e, s):
    """Sets that."""
    e._context = s


def join_contexts(s1, s2):
    """Two contexts as one."""
    return "%s --> %s" % (s1, s2) if s1 and s2 else s1 or s2


def context_aware(fn):
    """For functions that call context()."""

    @functools.wraps(fn)
    def with_context(*args, **kwargs):
        contexts = _contexts()
        contexts += ["", "(%s)" % fn.__name__]
        try:
            return fn(*args, **kwargs)
        except Exception as error:
            if not exception_context(error):
                set_exception_context(error, get_context())
            raise
        finally:
            del contexts[-2:]

    return with_context


def _context_message(e):
    s = exception_context(e)
    return "    [context: %s]" % s if s else ""
