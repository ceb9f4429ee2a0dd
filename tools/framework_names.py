#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names of VPP's test framework a suite uses, and whether ours has them.

    framework_names.py [--modules DIR] [--all] SUITE-DIR

Reads the Python files of a directory (older Python is converted first), and runs nothing of them. Counted are names that are
imported from `framework` and its siblings, and attributes of test cases (`self.NAME`, `cls.NAME` in classes that inherit from
VppTestCase, and `NAME` of such a class) which no file of the suite defines. Prints those that ours lacks, with --all every
one with its number of uses; the exit status is 1 if one is missing.
"""

import argparse
import ast
import collections
import pathlib
import subprocess
import sys
import unittest
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[1]
SIBLINGS = ("framework", "hook", "log", "util", "vpp_interface", "vpp_lo_interface", "vpp_object", "vpp_pg_interface",
            "vpp_sub_interface")
BASE = "VppTestCase"
OWN = ROOT / "runner/python/lib/_packet"


def parsed(path):
    """The file's tree; one of Python 2 is converted in memory."""
    text = path.read_text(encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except SyntaxError:
            from lib2to3 import refactor

            tool = refactor.RefactoringTool(refactor.get_fixers_from_package("lib2to3.fixes"))
            return ast.parse(str(tool.refactor_string(text + "\n", str(path))))


def last_name(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


class Suite:
    """What the files of a directory define and use."""

    def __init__(self, directory):
        self.imported = collections.Counter()  # (module, name)
        self.used = collections.Counter()  # attributes of test cases
        self.files = 0
        self._defined = set()
        trees = {path: parsed(path) for path in sorted(directory.glob("*.py")) if path.stem not in SIBLINGS}
        self._cases = self._test_cases(trees)
        for tree in trees.values():
            self._read(tree)

    @staticmethod
    def _test_cases(trees):
        """Names of the classes that inherit from VppTestCase, in any file, mix-ins of such classes included."""
        bases = {}
        for tree in trees.values():
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    bases.setdefault(node.name, set()).update(last_name(base) for base in node.bases)
        cases, grown = {BASE}, True
        while grown:
            more = {name for name, those in bases.items() if those & cases} - cases
            grown = bool(more)
            cases |= more
        return cases

    def _read(self, tree):
        uses = False
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in SIBLINGS:
                uses = uses or node.module == "framework"
                self.imported.update((node.module, alias.name) for alias in node.names if alias.name != "*")
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                self._defined.add(node.name)
            elif isinstance(node, ast.Attribute):
                self._attribute(node)
            elif isinstance(node, ast.Call) and last_name(node.func) == "setattr" and len(node.args) == 3:
                self._defined.update(value.value for value in ast.walk(node.args[1]) if isinstance(value, ast.Constant))
            elif isinstance(node, ast.ClassDef):
                self._defined.update(last_name(target) for one in node.body if isinstance(one, ast.Assign) for target in one.targets)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self._defined.update(
                    last_name(target) for one in node.body if isinstance(one, ast.Assign) for target in one.targets)
                if node.name in self._cases:
                    self._case(node)
        self.files += uses

    def _attribute(self, node):
        if isinstance(node.ctx, ast.Store):
            self._defined.add(node.attr)
        elif last_name(node.value) in self._cases and isinstance(node.value, ast.Name):
            self.used[node.attr] += 1

    def _case(self, case):
        for node in ast.walk(case):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                if not isinstance(node.ctx, ast.Store):
                    self.used[node.attr] += 1

    def attributes(self):
        """Those that neither the suite nor unittest defines; interfaces that are made by number are the framework's."""
        return {
            name: count for name, count in self.used.items()
            if name not in self._defined and not hasattr(unittest.TestCase, name)}


def ours(modules):
    """Our modules' names: {module: names}, and all attributes of VppTestCase."""
    program = (
        "import importlib, json, framework\n"
        f"print(json.dumps({{m: sorted(dir(importlib.import_module(m))) for m in {SIBLINGS!r}}}))\n"
        "print(json.dumps(sorted(dir(framework.VppTestCase))))\n")
    done = subprocess.run(
        ["/usr/bin/python3", "-c", program], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{modules}:{modules}/_packet", "PATH": "/usr/bin:/bin"})
    if done.returncode:
        sys.exit("the modules in %s cannot be imported: %s" % (modules, done.stderr))
    import json

    names, attributes = map(json.loads, done.stdout.splitlines())
    attributes = set(attributes)
    # What a test case has once it is set up.
    for file in ("framework.py", "packet_checks.py"):
        for node in ast.walk(ast.parse((OWN / file).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and last_name(node.value) in ("cls", "self"):
                attributes.add(node.attr)
    return {module: set(those) for module, those in names.items()}, attributes


def is_interface(name):
    """pg0, loop1: made by create_pg_interfaces() and create_loopback_interfaces()."""
    return name.rstrip("0123456789") in ("pg", "loop") and name[-1].isdigit()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("suite", type=pathlib.Path)
    parser.add_argument("--modules", default=ROOT / "build/release/lib/avocado-runner-vt/python")
    parser.add_argument("--all", action="store_true", help="also names that are there")
    arguments = parser.parse_args()
    suite = Suite(arguments.suite)
    names, attributes = ours(arguments.modules)
    rows = [(f"{module}.{name}", count, name in names[module]) for (module, name), count in suite.imported.items()]
    rows += [(f"{BASE}.{name}", count, name in attributes or is_interface(name)) for name, count in suite.attributes().items()]
    missing = [row for row in rows if not row[2]]
    for name, count, there in sorted(rows, key=lambda row: (-row[1], row[0])):
        if arguments.all or not there:
            print(f"{name:60} {count:6}  {'' if there else 'MISSING'}")
    of_framework = [row for row in rows if row[0].startswith(("framework.", BASE + "."))]
    print(f"{suite.files} files import framework; {len(of_framework)} names of it, {len(rows)} with its siblings; "
          f"{len(missing)} missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
