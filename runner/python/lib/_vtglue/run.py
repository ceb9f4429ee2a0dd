# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads and runs test files for the core. Every function returns None, or the Verdict of what was raised."""

import importlib.util
import os
import sys

from _vtglue import logs, statuses
from _vtglue.testobject import VirtTest

_entries = {}  # path of a test file: its run()
_current = None  # the surroundings of the running test


class _Surroundings:
    """The Python side of one test context: all its test functions see the same objects."""

    def __init__(self, context, env):
        from virttest import data_dir, utils_env, utils_params

        self.context = context
        self.params = utils_params.Params._of_core(context.params)
        self.env = utils_env.Env._of_core(env)
        data_dir._use(context)
        self.test = VirtTest(context, self.params)

    def belongs_to(self, context, env):
        return self.context is context and self.env._core is env


def _is_taken(name, path):
    """True if something else is imported by that name: a test called "json" must not replace Python's module."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None) != path
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:
        return True


def _import_file(path):
    name = os.path.splitext(os.path.basename(path))[0]
    if _is_taken(name, path):
        name = "vt_test_" + name
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _entry_of(path):
    if not os.path.isfile(path):
        raise statuses.LoadError("the test file %s is not there" % path)
    run = getattr(_import_file(path), "run", None)
    if run is None:
        raise statuses.LoadError("%s has no function run(test, params, env)" % path)
    if not callable(run):
        raise statuses.LoadError("%s: its run is no function but %s" % (path, type(run).__name__))
    return run


def load(path, search_path):
    """Imports a test file."""
    logs.attach()
    own = os.path.dirname(path)
    for directory in reversed(search_path):
        if directory in sys.path:
            continue
        if directory == own:
            # Its neighbours must not replace Python's modules, but may be imported.
            sys.path.append(directory)
        else:
            sys.path.insert(0, directory)
    try:
        _entries[path] = _entry_of(path)
    except BaseException as error:
        return statuses.verdict(error)
    return None


def _surroundings(context, env):
    global _current
    if _current is None or not _current.belongs_to(context, env):
        _current = _Surroundings(context, env)
    return _current


def _leave_exit_functions(path, around):
    from virttest import funcatexit

    test_type = os.path.splitext(os.path.basename(path))[0]

    def run_exit_functions():
        message = funcatexit.run_exitfuncs(around.env, test_type)
        return " ".join(message.split()) or None

    if around.env.data.get("exithandlers__%s" % test_type):
        around.context.add_exit_function(run_exit_functions)


def call(path, context, env):
    """Runs a test file that load() imported."""
    around = None
    language = os.environ.get("LANG")
    os.environ["LANG"] = "C"
    try:
        around = _surroundings(context, env)
        _entries[path](around.test, around.params, around.env)
        around.test.verify_background_errors()
    except BaseException as error:
        return statuses.verdict(error)
    finally:
        if language is None:
            os.environ.pop("LANG", None)
        else:
            os.environ["LANG"] = language
        if around is not None:
            _leave_exit_functions(path, around)
            around.env._store()
            around.test._send_whiteboard()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (AttributeError, ValueError, OSError):
                pass
    return None
