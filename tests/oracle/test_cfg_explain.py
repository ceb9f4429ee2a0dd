# SPDX-License-Identifier: GPL-2.0-or-later
"""What `cfg explain` names for a key has to make the key's value: its lines are run again here, by other rules than the
engine's, and compared with what came out."""

import os
import pathlib
import re

import pytest

import cfg_compare
import cfg_generator

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("VT_CORPUS", ROOT.parent / "shared/corpus/qemu"))
SEEDS = int(os.environ.get("VT_ORACLE_SEEDS", "400"))
OPERATOR = re.compile(r"\?\+=|\?<=|\?=|\+=|<=|~=|=")


def references(notes):
    """The values that the notes give for a line's references, in their order, up to one that is not set."""
    values = []
    for note in notes:
        found = re.match(r"\$\{(.+?)\} is '", note)
        if found:
            end = re.search(r"'(?:, the test's own| from [^']*:\d+:\d+)?$", note).start()
            values.append((found.group(1), note[found.end():end]))
    return values


def substitute(value, notes):
    """The value with its references replaced; what was put in is not looked at again."""
    done = ""
    for key, text in references(notes):
        before, reference, value = value.partition("${%s}" % key)
        assert reference, "a note on ${%s}, which is not in %r" % (key, before)
        done += before + text
    return done + value


class Replay:
    """Runs the steps of one key."""

    def __init__(self, bare):
        self.bare = bare
        self.suffixes = ""
        self.value = None

    @classmethod
    def is_suffix(cls, text):
        return not cls.is_assignment(text) and re.search(r"(?:^|: *)suffix +\S+$", text) is not None

    def run(self, step):
        if step["text"].startswith("limit "):
            self.value = step["text"].split(" = ", 1)[1]
            return
        text = (" " * (step["column"] - 1) + step["text"]).expandtabs(8).strip()
        if "set by the variant of the named block" in step["notes"]:
            self.value = re.match(r"-\s*@?\s*([^:]*?):", text).group(1)
            return
        word = re.search(r"(?:^|: *)(suffix|del) +(\S+)$", text)
        if word and not self.is_assignment(text):
            self.rename_or_drop(*word.groups())
            return
        self.assign(text, step["notes"])

    @staticmethod
    def is_assignment(text):
        sign = OPERATOR.search(text)
        return sign is not None and ":" not in text[:sign.start()]

    def rename_or_drop(self, word, argument):
        if word == "suffix":
            self.suffixes = argument + self.suffixes
        else:
            self.value = None

    def assign(self, text, notes):
        while not self.is_assignment(text):
            text = text.split(":", 1)[1].strip()
        sign = OPERATOR.search(text)
        key, value = text[:sign.start()].rstrip(), text[sign.end():].strip()
        if value and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        value = substitute(value, notes)
        kind = sign.group().strip("?=")
        if sign.group().startswith("?"):
            assert re.match(key + "$", self.bare + self.suffixes), (key, self.bare, self.suffixes)
        else:
            assert (key, "") == (self.bare, self.suffixes), "%r cannot change %s%s" % (text, self.bare, self.suffixes)
        if kind == "+":
            self.value = (self.value or "") + value
        elif kind == "<":
            self.value = value + (self.value or "")
        else:
            assert kind != "~" or self.value is None, "%r is in force on a key that is set" % text
            self.value = value


def spellings(key, steps):
    """What a key can be called without its suffixes: it may end in them, or have got its old name back."""
    added = [step["text"].rpartition("suffix ")[2].strip() for step in steps if Replay.is_suffix(step["text"])]
    end = "".join(reversed(added))
    return [key, key[:-len(end)]] if end and key.endswith(end) else [key]


def replay(bare, steps):
    """The value that the steps make."""
    run = Replay(bare)
    for step in steps:
        run.run(step)
        # What a `suffix` renamed may be overwritten later.
        assert Replay.is_suffix(step["text"]) or (run.value or "") == step["value"], (bare, step)
    return run.value


def check(explained):
    """Replays all keys; returns how many."""
    count = 0
    for test in explained:
        for key, history in test["keys"].items():
            steps = [step for step in history["steps"] if step["in_force"]]
            problems = []
            for bare in spellings(key, steps):
                try:
                    assert replay(bare, steps) == history["value"]
                    break
                except AssertionError as error:
                    problems.append("%s as %s: %s" % (key, bare, error))
            else:
                raise AssertionError("%s: %s\n%r" % (test["name"], problems, history))
            count += 1
    return count


def test_random_configurations(engine, tmp_path):
    count = 0
    for seed in range(SEEDS):
        files, defaults, expand, extra = cfg_generator.generate(seed)
        main = cfg_compare.write_files(files, str(tmp_path))
        answer = engine.explain([["file", main, ""]] + extra, defaults, expand, limit=20)
        try:
            count += check(answer.get("explained", []))
        except AssertionError as error:
            raise AssertionError("seed %d: %s\n%s" % (seed, error, "\n".join(files.values()))) from error
    assert count > SEEDS


@pytest.mark.parametrize("lines, key, named", [
    # The value of a stored key comes back under its old name.
    (["disk = iso/a.iso", "variants:", "  - m1:", "    suffix _m1", "disk(_.*)? ?<= /mnt/"], "disk", [1, 4, 5]),
    (["a = 1", "variants:", "  - m1:", "    a = 2", "    suffix _x", "a = 3", "a.* ?+= 0"], "a_x", [4, 5, 7]),
    (["a = 1", "suffix _x", "b = ${a}2"], "b", [3, 2]),
    (["k = 1", "suffix _s", "k += 2", "k += 3"], "k", [1, 3, 4, 2]),
    (["variants:", "  - a:", "    k = 1", "  - b:", "    l = 2", "join a b"], "k", [3]),
])
def test_lines_that_are_named(engine, tmp_path, lines, key, named):
    """A key's history goes with the key where `suffix` and `join` take it."""
    main = tmp_path / "main.cfg"
    main.write_text("\n".join(lines) + "\n", encoding="utf-8")
    explained = engine.explain([["file", str(main), ""]])["explained"]
    check(explained)
    steps = [step["text"] for step in explained[0]["keys"][key]["steps"] if step["in_force"]]
    assert steps == [lines[number - 1].strip() for number in named if number]


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus at %s" % CORPUS)
def test_every_key_of_the_corpus(engine):
    explained = engine.explain([["file", str(CORPUS / "list.cfg"), ""]], every=300, limit=10_000)["explained"]
    assert len({key for test in explained for key in test["keys"]}) > 1000
    assert check(explained) > 4_000
