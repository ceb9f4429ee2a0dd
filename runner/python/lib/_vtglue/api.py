# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names of the test modules a suite uses, and which of them are not there.

It reads the suite's Python without running it, and follows what can be followed: imports under any name, attributes of
what was imported, and the attributes of the objects that a test is given (test, params, env) or gets from them (VMs,
sessions). Our own modules are imported, so that "is there" means what it will mean when the test runs.
"""

import ast
import builtins
import collections
import importlib
import inspect
import os
import sys

ROOTS = ("virttest", "aexpect")
USAGE = "usage: avocado-runner-vt api SUITE-DIR\n"

#: What a call of a known object's method returns, by the method's name.
_RETURNS = {
    "get_vm": "vm",
    "create_vm": "vm",
    "clone": "vm",
    "wait_for_login": "session",
    "login": "session",
    "wait_for_serial_login": "session",
    "serial_login": "session",
    "object_params": "params",
}
_OBJECTS = ("test", "params", "env")


def python_files(suite):
    """Every Python file of the suite, relative to it, in order."""
    found = []
    for folder, folders, files in os.walk(suite):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.relpath(os.path.join(folder, name), suite) for name in sorted(files) if name.endswith(".py")]
    return found


class _Scope:
    """What names mean in a module or a function: a dotted name of ours, an object's kind ("@vm"), or None: anything."""

    def __init__(self, outer=None):
        self.outer = outer
        self.names = {}

    def look(self, name):
        if name in self.names:
            return self.names[name]
        return self.outer.look(name) if self.outer else None


def _catches_import_error(node):
    for handler in node.handlers:
        caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(kind is None or getattr(kind, "id", "") in ("ImportError", "ModuleNotFoundError", "Exception") for kind in caught):
            return True
    return False


class Uses(ast.NodeVisitor):
    """The dotted names that one file uses: `uses` is a set of such as "virttest.utils_misc.wait_for", "@vm.name"."""

    def __init__(self):
        self.uses = set()
        self._scope = _Scope()
        self._optional = 0

    def read(self, source, filename):
        """Reads a file's text; raises SyntaxError."""
        self.visit(ast.parse(source, filename))
        return self.uses

    def _use(self, name):
        if not self._optional and (name.startswith("@") or name.split(".")[0] in ROOTS):
            self.uses.add(name)

    def visit_Import(self, node):
        for alias in node.names:
            self._use(alias.name)
            name = alias.asname or alias.name.split(".")[0]
            self._scope.names[name] = alias.name if alias.asname else name

    def visit_ImportFrom(self, node):
        if node.level or not node.module:
            return
        for alias in node.names:
            if alias.name != "*":
                self._use("%s.%s" % (node.module, alias.name))
                self._scope.names[alias.asname or alias.name] = "%s.%s" % (node.module, alias.name)

    def visit_Try(self, node):
        optional = _catches_import_error(node)
        for part in node.body:
            self._optional += optional and isinstance(part, (ast.Import, ast.ImportFrom))
            self.visit(part)
            self._optional -= optional and isinstance(part, (ast.Import, ast.ImportFrom))
        for part in node.handlers + node.orelse + node.finalbody:
            self.visit(part)

    def _function(self, node):
        for part in getattr(node, "decorator_list", []) + node.args.defaults + [d for d in node.args.kw_defaults if d]:
            self.visit(part)
        self._scope = _Scope(self._scope)
        arguments = node.args
        for argument in arguments.posonlyargs + arguments.args + arguments.kwonlyargs + [arguments.vararg, arguments.kwarg]:
            if argument:
                kind = argument.arg if argument.arg in _OBJECTS + ("vm",) else ""
                self._scope.names[argument.arg] = kind and "@" + kind
        for part in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(part)
        self._scope = self._scope.outer

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _function

    def visit_ClassDef(self, node):
        for part in node.bases + node.decorator_list:
            self.visit(part)
        self._scope = _Scope(self._scope)
        for part in node.body:
            self.visit(part)
        self._scope = self._scope.outer

    def _meaning(self, node):
        """The dotted name of an expression, or None."""
        if isinstance(node, ast.Name):
            return self._scope.look(node.id)
        if isinstance(node, ast.Attribute):
            of = self._meaning(node.value)
            if of and not (of.startswith("@") and "." in of):
                return "%s.%s" % (of, node.attr)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = self._meaning(node.func.value) or ""
            if of.startswith("@") and "." not in of and node.func.attr in _RETURNS:
                return "@" + _RETURNS[node.func.attr]
        return None

    def visit_Assign(self, node):
        self.visit(node.value)
        meaning = self._meaning(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._scope.names[target.id] = meaning or ""
            else:
                self._unknown(target)

    def _unknown(self, target):
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                self._scope.names[part.id] = ""

    def visit_For(self, node):
        self._unknown(node.target)
        self.generic_visit(node)

    def visit_With(self, node):
        for item in node.items:
            if item.optional_vars is not None:
                self._unknown(item.optional_vars)
        self.generic_visit(node)

    def visit_Attribute(self, node):
        meaning = self._meaning(node)
        if meaning and isinstance(node.ctx, ast.Load):
            self._use(meaning)
        self.generic_visit(node)


class Ours:
    """What we have."""

    def __init__(self):
        self._known = {}
        self._objects = None

    def has(self, name):
        """True if a dotted name is there."""
        if name not in self._known:
            self._known[name] = self._attribute(*name.split(".", 1)) if name.startswith("@") else self._look(name)
        return self._known[name]

    @staticmethod
    def _look(name):
        words = name.split(".")
        for cut in range(len(words), 0, -1):
            try:
                found = importlib.import_module(".".join(words[:cut]))
            except ImportError:
                continue
            for word in words[cut:]:
                if not inspect.ismodule(found) and not inspect.isclass(found):
                    return True  # an attribute of an object: only a run can tell
                if not hasattr(found, word):
                    # What a class's instances have, its source says.
                    return inspect.isclass(found) and word in _instance_names(found)
                found = getattr(found, word)
            return True
        return False

    def _attribute(self, kind, attribute=None):
        if attribute is None:
            return True
        if self._objects is None:
            self._objects = _object_classes()
        cls = self._objects.get(kind)
        if cls is None or attribute in _instance_names(cls):
            return True
        return kind == "@test" and attribute.startswith("assert") and hasattr(_assertions(), attribute)


def _assertions():
    import unittest

    return unittest.TestCase


def _object_classes():
    from _vtglue.testobject import VirtTest
    from aexpect.client import RemoteSession
    from virttest import qemu_vm, utils_env, utils_params

    return {
        "@test": VirtTest,
        "@params": utils_params.Params,
        "@env": utils_env.Env,
        "@vm": qemu_vm.VM,
        "@session": RemoteSession,
    }


def _instance_names(cls):
    names = set(dir(cls))
    for part in cls.__mro__:
        if part.__module__ == builtins.__name__:
            continue
        try:
            tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(part)))
        except (OSError, TypeError, SyntaxError):
            continue
        names |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and getattr(node.value, "id", "") in ("self", "vm", "session")
        }
    return names


def missing_names(suite, ours=None):
    """({name: [file, …]}, [(file, error)], number of files): what the suite uses and we lack; files that do not parse."""
    ours, missing, broken = ours or Ours(), collections.defaultdict(list), []
    files = python_files(suite)
    for file in files:
        try:
            with open(os.path.join(suite, file), "rb") as source:
                uses = Uses().read(source.read(), file)
        except (SyntaxError, ValueError) as error:
            broken.append((file, error))
            continue
        lacking = {name for name in uses if not ours.has(name)}
        for name in lacking:
            # Of a module that is missing as a whole, one line.
            if name.rpartition(".")[0] not in lacking:
                missing[name].append(file)
    return missing, broken, len(files)


def main(arguments):
    """The command: prints a line a missing name; returns the exit status."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        asked = arguments and arguments[0] in ("-h", "--help")
        (sys.stdout if asked else sys.stderr).write(USAGE)
        return 0 if asked else 2
    suite = arguments[0]
    if not os.path.isdir(suite):
        sys.stderr.write("avocado-runner-vt: %s is no directory; name the one that a suite was fetched to\n" % suite)
        return 2
    missing, broken, count = missing_names(suite)
    for name, files in sorted(missing.items(), key=lambda item: (-len(item[1]), item[0])):
        print("%s\t%d\t%s" % (name.lstrip("@"), len(files), " ".join(files)))
    for file, error in broken:
        sys.stderr.write("%s is not read: %s\n" % (file, error))
    users = {file for files in missing.values() for file in files}
    sys.stderr.write("%d files read, %d names missing, in %d files\n" % (count - len(broken), len(missing), len(users)))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
