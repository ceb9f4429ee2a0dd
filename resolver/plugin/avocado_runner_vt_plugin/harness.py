# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds plans (flumotion.twisted.integration), drivers (testplan) and packet tests (framework): Python files that are
known by what they import.

A file is read once and searched for the import; only one that has it is parsed. Nothing of it is run.
"""

import ast
import os
import re

from avocado.core.extension_manager import PluginPriority
from avocado.core.plugin_interfaces import Resolver
from avocado.core.references import reference_split
from avocado.core.resolver import ReferenceResolution, ReferenceResolutionResult
from avocado.core.settings import settings

from .resolver import VTRunnable

_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(flumotion\.twisted|testplan|framework)\b", re.MULTILINE)
_KINDS = {b"flumotion.twisted": "vt-plan", b"testplan": "vt-driver", b"framework": "vt-packet"}
# The name of VPP's framework is a common word, so a name of its has to be there, too.
_OF_FRAMEWORK = re.compile(rb"\bVppTest(Case|Runner)\b")
_LONGEST = 4 << 20  # no test is longer


def _name(node):
    """The last part of a name: that of `unittest.TestCase`, and of `testcase(…)`."""
    if isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _decorated(node, name):
    return any(_name(decorator) == name for decorator in node.decorator_list)


def _functions(body):
    return [node for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


class _Classes:
    """The classes of a file and their tests."""

    def __init__(self, tree):
        self._classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

    def _own(self, node):
        """Names that begin with test, defined or, as decorated in older Pythons, assigned."""
        names = [function.name for function in _functions(node.body)]
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                names += [_name(target) for target in statement.targets]
        return [name for name in names if name.startswith("test")]

    def _ancestors(self, node, seen):
        """The file's own classes that a class inherits from, itself first."""
        if node.name in seen:
            return []
        seen.add(node.name)
        found = [node]
        for base in node.bases:
            if _name(base) in self._classes:
                found += self._ancestors(self._classes[_name(base)], seen)
        return found

    def _is_case(self, line):
        """True if the class or an ancestor has a base that comes from elsewhere."""
        return any(
            _name(base) not in self._classes and _name(base) != "object" for node in line for base in node.bases
        )

    def tests(self):
        """Class.method, in the order of the file."""
        found = []
        for node in self._classes.values():
            if _decorated(node, "testsuite"):
                names = [case.name for case in _functions(node.body) if _decorated(case, "testcase")]
            else:
                line = self._ancestors(node, set())
                names = [name for member in reversed(line) for name in self._own(member)] if self._is_case(line) else []
            found += [f"{node.name}.{name}" for name in dict.fromkeys(names)]
        return found


def _tests_of(text):
    """References of the tests in a file's text: Class.method, or an empty one for a plan as a whole."""
    tree = ast.parse(text)
    found = _Classes(tree).tests()
    if not found and any(_decorated(function, "test_plan") for function in _functions(tree.body)):
        found = [""]
    return found


def _kind_of(path):
    """The kind of a file, and its text; nothing for one that is none of ours."""
    if not path.endswith(".py"):
        return None, b""
    try:
        with open(path, "rb") as file:
            text = file.read(_LONGEST)
    except OSError:
        return None, b""
    found = _IMPORT.search(text)
    if not found or (found.group(1) == b"framework" and not _OF_FRAMEWORK.search(text)):
        return None, b""
    return _KINDS[found.group(1)], text


class VTHarnessResolver(Resolver):
    """Before Avocado's own resolver of unittests, which would take such files for its own."""

    name = "vt-harness"
    description = "Test resolver for plans (flumotion.twisted.integration), drivers (testplan) and packet tests (framework)"
    priority = PluginPriority.HIGH

    def __init__(self, config=None):
        self.config = config or settings.as_dict()

    def _runnable(self, kind, uri):
        prefer = self.config.get("vt.harness.prefer", "own")
        arguments = {} if prefer == "own" else {"prefer": prefer}
        return VTRunnable(kind, uri, **arguments)

    def resolve(self, reference):
        path, wanted = (reference, None) if os.path.isfile(reference) else reference_split(reference)
        kind, text = _kind_of(path)
        if kind is None:
            return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info="no plan, no driver and no packet test")
        try:
            tests = _tests_of(text)
        except (SyntaxError, ValueError, RecursionError) as error:
            info = f"{path} does not compile as Python 3: {error}"
            return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info=info)
        if wanted:
            tests = [test for test in tests if re.search(wanted, test)]
        if not tests:
            info = f"{path} has no test" + (f" that matches {wanted}" if wanted else "")
            return ReferenceResolution(reference, ReferenceResolutionResult.NOTFOUND, info=info)
        runnables = [self._runnable(kind, f"{path}:{test}" if test else path) for test in tests]
        return ReferenceResolution(reference, ReferenceResolutionResult.SUCCESS, runnables)
