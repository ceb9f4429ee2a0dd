# SPDX-License-Identifier: GPL-2.0-or-later
"""Which status an exception means, and the exceptions that mean a status.

The classes are Avocado's own, imported when the first one is needed: importing Avocado costs a third of a second.
"""

import logging
import os
import re
import sys
import traceback
import types
from collections import namedtuple

#: How a test ended that did not pass; all strings.
Verdict = namedtuple("Verdict", "status reason fail_class traceback")

_STATUSES = ("FAIL", "ERROR", "CANCEL", "SKIP", "WARN", "INTERRUPTED")
_REASON_LIMIT = 1000
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))



class LoadError(Exception):
    """A test file that is none; an ERROR."""


_module = None


def exceptions():
    """The module with the status exceptions: avocado.core.exceptions, else the fallback."""
    global _module
    if _module is None:
        try:
            from avocado.core import exceptions as found
        except ImportError as error:
            logging.getLogger("vt").warning(
                "Avocado cannot be imported from %s (%s): test.fail() and the like raise stand-ins of its exceptions",
                sys.executable,
                error,
            )
            from _vtglue import fallback as found
        _module = found
    return _module


def of_core(fail_class, text):
    """The Python exception for one that the core raised."""
    module = exceptions()
    return getattr(module, fail_class, module.TestError)(text)


def _base_classes():
    """Every TestBaseException of this process; empty as long as nobody imported one."""
    names = ("avocado.core.exceptions", "_vtglue.fallback")
    return tuple(
        sys.modules[name].TestBaseException for name in names if name in sys.modules
    )


def _status(error):
    bases = _base_classes()
    if bases and isinstance(error, bases):
        status = str(getattr(error, "status", "ERROR")).upper()
        return status if status in _STATUSES else "ERROR"
    if isinstance(error, KeyboardInterrupt):
        return "INTERRUPTED"
    return "ERROR"


def _place(error):
    """file.py:line of the innermost frame that is the test's own, or ''."""
    own = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        # By its mark __unittest, unittest leaves itself out of tracebacks, too.
        if not frame.f_code.co_filename.startswith((_OURS, "<frozen")) and "__unittest" not in frame.f_globals
    ]
    if not own:
        return ""
    return "%s:%s" % (os.path.basename(own[-1][0]), own[-1][1])


def _encodable(text):
    """The text with escapes for what UTF-8 has no bytes for: file names that are no UTF-8 become such text."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _one_sentence(text):
    text = " ".join(text.split())
    return text if len(text) <= _REASON_LIMIT else text[: _REASON_LIMIT - 1] + "…"


def _is_ours(name):
    return (name or "").split(".")[0] in ("virttest", "aexpect")


def _similar(name, names):
    """A question ("; did you mean …?"), if one of our names is nearly what was wanted."""
    import difflib

    close = difflib.get_close_matches(name or "", [known for known in names if not known.startswith("_")], 1, 0.8)
    return "; did you mean %s?" % close[0] if close else ""


def _hint(error):
    name = getattr(error, "name", None) or ""
    if isinstance(error, ImportError) and _is_ours(name):
        wanted = re.match(r"cannot import name '(\w+)'", str(error))
        similar = _similar(wanted.group(1), dir(sys.modules[name])) if wanted and name in sys.modules else ""
        return "; this runner does not have that part of %s yet%s" % (name.split(".")[0], similar)
    if isinstance(error, AttributeError):
        owner = getattr(error, "obj", None)
        module = owner.__name__ if isinstance(owner, types.ModuleType) else type(owner).__module__
        if _is_ours(module):
            return "; this runner does not have that part of %s yet%s" % (module.split(".")[0], _similar(name, dir(owner)))
    return ""


def _words(error):
    """The exception's text; of a login that timed out its output, which says what happened, without more around it."""
    if type(error).__name__ == "LoginTimeoutError" and getattr(error, "output", None):
        return str(error.output)
    return str(error)


def _reason(error, status):
    text = _words(error)
    if isinstance(error, SystemExit):
        text = "the test ended itself by sys.exit(%s)" % (text or "0")
    elif isinstance(error, SyntaxError) and error.filename:
        text = "%s does not compile: %s (line %s)" % (
            os.path.basename(error.filename),
            error.msg,
            error.lineno,
        )
    elif isinstance(error, (LoadError,) + _base_classes()) and text:
        return _one_sentence(text)
    else:
        text = type(error).__name__ + (": " + text if text else "") + _hint(error)
    place = _place(error)
    return _one_sentence(text + (" (%s)" % place if place else ""))


def _own_traceback(error):
    """The traceback without the frames that brought us to the test, and without test.fail()'s own."""
    glue = os.path.dirname(os.path.abspath(__file__))
    frames = traceback.TracebackException.from_exception(error, compact=True)
    foreign = [f for f in frames.stack if not f.filename.startswith((glue, "<frozen importlib"))]
    frames.stack[:] = foreign
    return "".join(frames.format())


def verdict(error):
    """What `error`, raised by a test, means; the core logs it."""
    status = _status(error)
    try:
        reason = _reason(error, status)
    except Exception as broken:
        reason = "%s, whose text cannot be had: %r" % (type(error).__name__, broken)
    try:
        trace = _own_traceback(error)
    except Exception as broken:  # an exception whose __str__ raises
        trace = "%s, whose traceback cannot be had: %r\n" % (type(error).__name__, broken)
    context = getattr(error, "_context", None)
    if context:
        logging.getLogger("avocado.test").error("Context: %s", context)
    fail_class = "TestError" if isinstance(error, LoadError) else type(error).__name__
    return Verdict(status, _encodable(reason), fail_class, _encodable(trace))
