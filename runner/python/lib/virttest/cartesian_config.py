#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Cartesian configurations for Python: the names of Avocado-VT's module over the runner's engine.

Run as a program it prints what a configuration expands to.
"""

import contextlib
import logging
import os
import re
import sys

if __name__ == "__main__" and not __package__:
    # Run by its path: its neighbours are not modules of Python, the packages beside its folder are wanted.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

import _vt

LOG = logging.getLogger("avocado." + __name__)

#: Options of the command line, where this is run as a program.
options = None


class ParserError(Exception):
    """A configuration that cannot be read, and where."""

    def __init__(self, msg, line=None, filename=None, linenum=None):
        super().__init__()
        self.msg = msg
        self.line = line
        self.filename = filename
        self.linenum = linenum

    def __reduce__(self):
        return type(self), (self.msg, self.line, self.filename, self.linenum)

    def __str__(self):
        line = ": %r" % self.line if self.line else ""
        return "%s%s (%s:%s)" % (self.msg, line, self.filename, self.linenum)


class LexerError(ParserError):
    """A character that cannot stand where it stands."""


class MissingIncludeError(Exception):
    """An included file is missing."""

    def __init__(self, line, filename, linenum):
        super().__init__()
        self.line = line
        self.filename = filename
        self.linenum = linenum

    def __reduce__(self):
        return type(self), (self.line, self.filename, self.linenum)

    def __str__(self):
        return "%r (%s:%s): file does not exist or it's not a regular file" % (self.line, self.filename, self.linenum)


if __name__ == "__main__":
    # The core raises the classes of the module virttest.cartesian_config: there must be one of each.
    from virttest.cartesian_config import LexerError, MissingIncludeError, ParserError  # noqa: F811


class Label:
    """A name in a filter; two names are that of a block of variants and that of the variant in it."""

    def __init__(self, name, next_name=None):
        self.name, self.var_name = (name, None) if next_name is None else (next_name, name)
        self.long_name = self.name if self.var_name is None else "(%s=%s)" % (self.var_name, self.name)

    def __str__(self):
        return self.long_name

    __repr__ = __str__


class OnlyFilter:
    """What multiply_join() takes: alternatives, each a list of parts, each a list of labels; and its line."""

    def __init__(self, lfilter, line):
        self.filter = lfilter
        self.line = line

    def __repr__(self):
        return "Only %s" % (self.filter,)


def _filter_text(word):
    """A word of a filter as it is written in a configuration."""
    return "..".join(".".join(str(label) for label in part) for part in word)


class Parser:
    """Reads configurations, each after what was read before, and expands them."""

    def __init__(self, filename=None, defaults=False, expand_defaults=(), debug=False):
        self.debug = debug
        self.defaults = defaults
        self.expand_defaults = list(expand_defaults)
        self.filename = filename
        self.only_filters = []
        self.no_filters = []
        self.assignments = []
        self._read = []  # what was read, in order, for multiply_join()
        #: What was read; only good for the methods of this parser.
        self.node = self._core()
        if filename:
            self.parse_file(filename)

    def _core(self):
        keep_suffixes = options is not None and not options.skipdups
        return _vt.CfgParser(bool(self.defaults), [str(name) for name in self.expand_defaults], keep_suffixes)

    def parse_file(self, filename):
        """Reads a file."""
        self._read.append(("parse_file", os.path.abspath(filename)))
        self.node.parse_file(os.fspath(filename))
        self.filename = filename

    def parse_string(self, s):
        """Reads a text."""
        self._read.append(("parse_string", s))
        self.node.parse_string(s)

    def _statement(self, kept, text):
        kept.append(text)
        self.parse_string(text)

    def only_filter(self, variant):
        """Reads `only VARIANT`."""
        self._statement(self.only_filters, "only %s" % variant)

    def no_filter(self, variant):
        """Reads `no VARIANT`."""
        self._statement(self.no_filters, "no %s" % variant)

    def assign(self, key, value):
        """Reads `KEY = VALUE`."""
        self._statement(self.assignments, "%s = %s" % (key, value))

    def get_dicts(self, node=None, ctx=(), content=(), shortname=(), dep=()):
        """Yields the dictionaries, each made when it is asked for."""
        self._whole_only(node, ctx, content, shortname, dep)
        yield from self.node.dictionaries()

    #: The engine drops suffixes and joins by itself: there is no plainer form of its dictionaries.
    get_dicts_plain = get_dicts

    def multiply_join(self, onlys, node=None, ctx=(), content=(), shortname=(), dep=()):
        """Yields every combination of one dictionary per filter, the first filter slowest, as `join` does.

        onlys: (file name, line number, OnlyFilter), as upstream has them.
        """
        self._whole_only(node, ctx, content, shortname, dep)
        words = []
        for _, _, only in onlys:
            if len(only.filter) != 1:
                raise ValueError("a filter of a join has one alternative, this one has %d" % len(only.filter))
            words.append(_filter_text(only.filter[0]))
        core = self._core()
        for method, text in self._read:
            # What was refused before is refused again, and what stood before it counts again.
            with contextlib.suppress(ParserError, MissingIncludeError, OSError):
                getattr(core, method)(text)
        if words:
            core.parse_string("join " + " ".join(words))
        yield from core.dictionaries()

    def mk_name(self, n1, n2):
        """The name of two joined dictionaries: the dotted beginning they share stands once."""
        common = os.path.commonprefix([n1, n2])
        if common in (n1, n2):
            raise ValueError("the join of %r and %r has no name, because one begins the other" % (n1, n2))
        dot = common.rfind(".")
        return n1 + n2[dot:] if dot > 0 else n1 + "." + n2

    def _whole_only(self, node, ctx, content, shortname, dep):
        if node not in (None, self.node) or ctx or content or shortname or dep:
            raise NotImplementedError("expanding a part of a configuration by hand is not supported")


def convert_data_size(size, default_sufix="B"):
    """A size ("1.5G") in bytes; default_sufix is the unit of a bare number."""
    units = "BKMGT"
    if size[-1].upper() not in units:
        size += default_sufix
    return int(float(size[:-1]) * 1024 ** units.index(size[-1].upper()))


def compare_string(str1, str2):
    """-1, 0 or 1 as the first number, or size if either has a unit, is less, equal or greater."""
    sizes = re.search("[BKMGT]", str1 + str2, re.IGNORECASE | re.ASCII)
    first, second = (convert_data_size(text, "M") if sizes else int(text) for text in (str1, str2))
    return (first > second) - (first < second)


def postfix_parse(dic):
    """Applies the limits X_max, X_min and X_fixed of a dictionary to its X."""
    limited = {}
    for key in dic:
        if not isinstance(key, str):
            continue
        for suffix, worse in (("_max", 1), ("_min", -1), ("_fixed", None)):
            if not key.endswith(suffix):
                continue
            target = key.split(suffix)[0]
            if worse is None or target not in dic or compare_string(dic[target], dic[key]) == worse:
                limited[target] = dic[key]
            break
    dic.update(limited)


def print_dicts_default(options, dicts):
    """Prints a line a dictionary, and its content if options.contents is set."""
    for number, dic in enumerate(dicts, 1):
        print("dict %4d:  %s" % (number, dic["name" if options.fullname else "shortname"]))
        if options.contents:
            for key in sorted(dic):
                print("    %s = %s" % (key, dic[key]))


def print_dicts_repr(options, dicts):
    """Prints the dictionaries as a Python list."""
    import pprint

    print("[")
    for dic in dicts:
        print("%s," % pprint.pformat(dic))
    print("]")


def print_dicts(options, dicts):
    """Prints the dictionaries as the options say."""
    (print_dicts_repr if options.repr_mode else print_dicts_default)(options, dicts)


def _command_line():
    import argparse

    parser = argparse.ArgumentParser(
        usage="%(prog)s [options] filename [extra code] ...", description="Prints what a Cartesian configuration expands to."
    )
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("-v", "--verbose", dest="debug", action="store_true", help="include debug messages")
    parser.add_argument("-f", "--fullname", action="store_true", help="full names instead of short ones")
    parser.add_argument("-c", "--contents", action="store_true", help="show what is in each dictionary")
    parser.add_argument("-r", "--repr", dest="repr_mode", action="store_true", help="print a Python list")
    parser.add_argument("-d", "--defaults", action="store_true", help="only the default variant of each block")
    parser.add_argument("-e", "--expand", help='blocks that run in full in spite of -d: "name, name"')
    parser.add_argument("-s", "--skip-dups", dest="skipdups", action="store_false",
                        help="keep suffixed keys that have the plain key's value")  # fmt: skip
    found = parser.parse_intermixed_args()
    if not found.words:
        parser.error("filename required")
    return found


def _main():
    global options
    options = _command_line()
    expand = [name.strip() for name in options.expand.split(",")] if options.expand else []
    try:
        parser = Parser(options.words[0], options.defaults, expand, options.debug)
        for text in options.words[1:]:
            parser.parse_string(text)
        print_dicts(options, parser.get_dicts())
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ParserError, MissingIncludeError, OSError) as error:
        sys.exit("%s: %s" % (os.path.basename(sys.argv[0]), error))


if __name__ == "__main__":
    _main()
