# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports every test module of a suite, each as the runner would; prints one JSON object.

Run by `avocado-runner-vt python suite_imports.py SUITE-DIR [FOLDER…]`; keys: "good" (how many), "bad" (file: error).
"""

import importlib.util
import json
import os
import sys
import traceback


def test_modules(suite, folders):
    for folder in folders or sorted(os.listdir(suite)):
        tests = os.path.join(suite, folder, "tests")
        for place, _, files in os.walk(tests):
            if os.sep + "deps" in place[len(tests) :]:
                continue
            yield from (os.path.join(place, name) for name in sorted(files) if name.endswith(".py"))


def main(suite, *folders):
    suite = os.path.abspath(suite)
    sys.path[:0] = [suite]
    good, bad = 0, {}
    for number, path in enumerate(test_modules(suite, folders)):
        sys.path.append(os.path.dirname(path))
        try:
            spec = importlib.util.spec_from_file_location("suite_module_%d" % number, path)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
            good += 1
        except BaseException as error:  # whatever a module raises
            place = traceback.extract_tb(error.__traceback__)[-1]
            bad[os.path.relpath(path, suite)] = "%s: %s (%s:%s)" % (type(error).__name__, error, place.filename, place.lineno)
        finally:
            sys.path.pop()
    print(json.dumps({"good": good, "bad": bad}))


if __name__ == "__main__":
    main(*sys.argv[1:])
