# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one configuration through the engine and through upstream's parser, and says how they differ."""

import itertools
import json
import os
import signal
import subprocess

LIMIT = 400


class Engine:
    """The engine, in a process of its own."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        encoding="utf-8", errors="surrogateescape")

    def expand(self, inputs, defaults=False, expand=()):
        return self.ask({"inputs": inputs, "defaults": defaults, "expand": list(expand), "limit": LIMIT})

    def explain(self, inputs, defaults=False, expand=(), every=1, limit=LIMIT):
        """Explanations of dictionaries that have all keys between them, and of every so many-th one."""
        return self.ask({"inputs": inputs, "defaults": defaults, "expand": list(expand), "limit": limit, "explain": every})

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the engine died on %r" % (request,))
        return json.loads(answer)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def flat(dictionary):
    """A dictionary of upstream's as the engine's list of items."""
    return [[key, [list(item) for item in value.items()] if isinstance(value, dict) else value]
            for key, value in dictionary.items()]


def upstream(module, inputs, defaults=False, expand=(), timeout=20):
    """Upstream's answer in the engine's form."""

    def too_long(_number, _frame):
        raise TimeoutError()

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(timeout)
    try:
        parser = module.Parser(defaults=defaults, expand_defaults=list(expand))
        for kind, text, value in inputs:
            if kind == "file":
                parser.parse_file(text)
            elif kind == "only":
                parser.only_filter(text)
            elif kind == "no":
                parser.no_filter(text)
            elif kind == "assign":
                parser.assign(text, value)
            else:
                parser.parse_string(text)
        return {"dicts": [flat(one) for one in itertools.islice(parser.get_dicts(), LIMIT)]}
    except TimeoutError:
        return {"timeout": True}
    except Exception as error:  # pylint: disable=broad-except
        return {"error": "%s: %s" % (type(error).__name__, error), "type": type(error).__name__}
    finally:
        signal.alarm(0)


def write_files(files, directory):
    """Puts the files of a configuration into a directory; returns the main one's path."""
    for name, text in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
    return os.path.join(directory, "main.cfg")


def difference(ours, theirs, joins=False):
    """None, or where the two answers part."""
    if "timeout" in theirs:
        return None
    if "error" in theirs or "error" in ours:
        # The engine makes the parts of a join only where all of them exist, and so may not see what is wrong with one.
        if joins and theirs.get("type") in ("ValueError", "IndexError"):
            return None
        if ("error" in theirs) != ("error" in ours):
            return "ours: %s\nupstream: %s" % (ours.get("error", "%d dictionaries" % len(ours.get("dicts", []))),
                                             theirs.get("error", "%d dictionaries" % len(theirs.get("dicts", []))))
        return None
    for index, (mine, other) in enumerate(itertools.zip_longest(ours["dicts"], theirs["dicts"])):
        if mine != other:
            if mine is None or other is None:
                return "%d dictionaries, upstream %d" % (len(ours["dicts"]), len(theirs["dicts"]))
            pairs = [(a, b) for a, b in itertools.zip_longest(mine, other) if a != b]
            return "dictionary %d (%s): ours %r, upstream %r" % (index, mine[0][1], pairs[0][0], pairs[0][1])
    return None
