#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a Python 2 file as Python 3: tools/py2to3.py FROM [TO]. Without TO it goes to standard output.

For test files that were written for Flumotion. It needs lib2to3, which Python has up to 3.12.
"""

import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)

from lib2to3 import pgen2, refactor  # noqa: E402


def converted(text, name):
    """The text as Python 3."""
    tool = refactor.RefactoringTool(refactor.get_fixers_from_package("lib2to3.fixes"))
    return str(tool.refactor_string(text if text.endswith("\n") else text + "\n", name))


def main(arguments):
    if len(arguments) not in (1, 2):
        print("usage: py2to3.py FROM [TO]", file=sys.stderr)
        return 2
    try:
        with open(arguments[0], encoding="utf-8") as source:
            text = converted(source.read(), arguments[0])
        if len(arguments) == 1:
            sys.stdout.write(text)
        else:
            with open(arguments[1], "w", encoding="utf-8") as target:
                target.write(text)
    except (OSError, UnicodeDecodeError, pgen2.parse.ParseError, pgen2.tokenize.TokenError) as error:
        print(f"py2to3.py: {arguments[0]}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
