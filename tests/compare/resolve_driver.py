# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolves command lines of `avocado run` in one warmed-up interpreter, upstream's or ours, and runs nothing.

Reads a request a line, `{"config": FILE, "argv": [...]}`, and answers with a line each: the runnables that Avocado would
run, in order, as `tests`; the exit status where there are none to speak of as `status`; and what was said as `text`. Each
command line has a process of its own, so that none sees what another one left in the interpreter.
"""

import io
import json
import os
import sys
import traceback
import warnings

warnings.simplefilter("ignore")

from avocado.core.main import main  # pylint: disable=C0413
from avocado.core.suite import TestSuite, TestSuiteError  # pylint: disable=C0413
from avocado.plugins.run import Run  # pylint: disable=C0413

try:
    import avocado_vt.plugins.vt_resolver  # noqa: F401  pylint: disable=W0611
except ImportError:
    import avocado_runner_vt_plugin.resolver  # noqa: F401  pylint: disable=W0611


class Answer(BaseException):
    """What `run` would have run."""


def resolve_only(_plugin, config):
    try:
        suite = TestSuite.from_config(config, name="")
    except TestSuiteError as error:
        print(error)
        raise SystemExit(2) from None
    raise Answer([[runnable.kind, runnable.uri, runnable.kwargs] for runnable in suite.tests])


def answer(request):
    sys.argv = ["avocado", "--config", request["config"], "run", "--ignore-missing-references", *request["argv"]]
    try:
        return {"tests": [], "status": main()}
    except Answer as found:
        return {"tests": found.args[0], "status": 0}
    except SystemExit as end:
        return {"tests": [], "status": end.code}
    except Exception:  # pylint: disable=W0718
        return {"tests": [], "status": traceback.format_exc()}


def in_child(request, pipe):
    text = io.StringIO()
    out, sys.stdout, sys.stderr = sys.stdout, text, text
    reply = answer(request)
    reply["text"] = text.getvalue()[-2000:]
    with os.fdopen(pipe, "w", encoding="utf-8") as stream:
        json.dump(reply, stream)
    sys.stdout = out


if __name__ == "__main__":
    Run.run = resolve_only
    for line in sys.stdin:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            in_child(json.loads(line), writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as answers:
            print(answers.read(), flush=True)
        os.waitpid(child, 0)
