# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine against upstream's parser: random configurations, broken ones, upstream's own config set, the corpus.

VT_ORACLE_SEEDS says how many seeds of each kind run (default 400; the soak runs 20,000), VT_ORACLE_FIRST with which it
begins.
"""

import hashlib
import json
import os
import pathlib
import re

import pytest

import cfg_compare
import cfg_generator

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = pathlib.Path(os.environ.get("VT_CORPUS", ROOT.parent / "shared/corpus/qemu"))
SEEDS = int(os.environ.get("VT_ORACLE_SEEDS", "400"))
FIRST = int(os.environ.get("VT_ORACLE_FIRST", "0"))

# What upstream gets wrong and the engine does not copy (docs/cartesian.md).
ACCIDENTS = [
    # `a .b` is read, has an empty part and fails only when it is judged, which dependencies never are.
    re.compile(r"[\w)-] +\.|, *\.[^.]"),
]


def has_join(files):
    return any(re.search(r"^\s*join ", text, re.M) for text in files.values())


def is_known(files, difference, theirs):
    """Whether a difference is one of upstream's defects that are not copied."""
    text = "\n".join(files.values())
    if "cannot stand here in a filter" in difference and ACCIDENTS[0].search(text):
        return True
    # After a block without variants at the end of a body, the value of an assignment is read as a filter.
    if "Expected ['String re(.+)'] got" in theirs.get("error", ""):
        return True
    if not has_join(files):
        # A pattern or `del` spells keys with several suffixes the other way round.
        return len(re.findall(r"^\s*suffix ", text, re.M)) > 1 and re.search(r"\?[+<]?=|^\s*del ", text, re.M) is not None
    # Three words: upstream keeps filters of earlier rounds. Names: it cuts off the common beginning by a regular
    # expression made of the name, parentheses included.
    words = sum(len(re.split(r"[ ,]+", match.strip(" ,"))) for match in re.findall(r"^\s*join (.*)$", text, re.M))
    garbled = any("(" in one[0][1] for one in theirs.get("dicts", []))
    several = len(re.findall(r"^\s*suffix ", text, re.M)) > 1
    return words > 2 or garbled or several or theirs.get("type") in ("AttributeError", "error")


def compare(engine, peer, directory, configuration):
    """None, or a report of how the two differ."""
    files, defaults, expand, extra = configuration
    main = cfg_compare.write_files(files, str(directory))
    inputs = [["file", main, ""]] + extra
    theirs = cfg_compare.upstream(peer, inputs, defaults, expand)
    ours = engine.expand(inputs, defaults, expand)
    difference = cfg_compare.difference(ours, theirs, has_join(files))
    if difference is None or is_known(files, difference, theirs):
        return None
    return "%s\n%s" % (difference, "\n".join("--- %s\n%s" % item for item in files.items()))


def run_seeds(engine, peer, tmp_path, make, count):
    failures = []
    for seed in range(FIRST, FIRST + count):
        directory = tmp_path / "config"
        directory.mkdir(exist_ok=True)
        report = compare(engine, peer, directory, make(seed))
        if report is not None:
            failures.append("seed %d: %s" % (seed, report))
    assert not failures, "%d of %d differ\n%s" % (len(failures), count, "\n".join(failures[:3]))


def test_random_configurations(engine, peer, tmp_path):
    run_seeds(engine, peer, tmp_path, cfg_generator.generate, SEEDS)


def test_broken_configurations(engine, peer, tmp_path):
    run_seeds(engine, peer, tmp_path, cfg_generator.generate_broken, SEEDS)


@pytest.mark.soak
def test_many_random_configurations(engine, peer, tmp_path):
    run_seeds(engine, peer, tmp_path, cfg_generator.generate, 20000)
    run_seeds(engine, peer, tmp_path, cfg_generator.generate_broken, 20000)


def test_errors_have_a_place(engine, tmp_path):
    for seed in range(FIRST, FIRST + SEEDS):
        files, defaults, expand, extra = cfg_generator.generate_broken(seed)
        main = cfg_compare.write_files(files, str(tmp_path))
        answer = engine.expand([["file", main, ""]] + extra, defaults, expand)
        if "error" in answer:
            assert answer["line"] > 0 and answer["file"], "seed %d: %r" % (seed, answer)


def guest_tree(directory, depth):
    """The guests as one text, as upstream's bootstrap puts them together: X.cfg is the head of directory X."""
    pad = " " * depth
    text = ""
    for name in sorted({entry.stem if entry.suffix == ".cfg" else entry.name for entry in directory.iterdir()}):
        head, body = directory / (name + ".cfg"), directory / name
        lines = head.read_text(encoding="utf-8").splitlines() if head.is_file() else ["- %s:" % name]
        text += "".join("%s%s\n" % (pad, line) for line in lines)
        if body.is_dir():
            text += "%s    variants:\n%s" % (pad, guest_tree(body, depth + 8))
    return text


SELECTION = """only i440fx
only smp2
only qcow2
only virtio_net
only virtio_blk
only smallpages
only default_bios
only bridge
only no_9p_export
only no_virtio_rng
only no_pci_assignable
only (image_backend=filesystem)
"""


def test_config_set_of_the_package(engine, peer, peer_site, tmp_path):
    """Every guest of upstream's own config set."""
    shared = peer_site / "virttest/shared/cfg"
    names = ["base.cfg", "machines.cfg", "guest-hw.cfg", "cdkeys.cfg", "virtio-win.cfg"]
    for name in names:
        (tmp_path / name).write_text((shared / name).read_text(encoding="utf-8"), encoding="utf-8")
    guests = "variants:\n    - @Guest:\n        variants:\n" + guest_tree(shared / "guest-os", 12)
    (tmp_path / "guest-os.cfg").write_text(guests, encoding="utf-8")
    tests = "variants:\n    - boot:\n        type = boot\n    - unattended_install.cdrom: boot\n        type = install\n"
    (tmp_path / "subtests.cfg").write_text(tests, encoding="utf-8")
    order = ["base.cfg", "machines.cfg", "subtests.cfg", "guest-os.cfg", "guest-hw.cfg", "cdkeys.cfg", "virtio-win.cfg"]
    main = tmp_path / "main.cfg"
    main.write_text("".join("include %s\n" % name for name in order) + SELECTION, encoding="utf-8")
    inputs = [["file", str(main), ""]]
    cfg_compare.LIMIT = 1000
    theirs = cfg_compare.upstream(peer, inputs, timeout=300)
    ours = engine.expand(inputs)
    cfg_compare.LIMIT = 400
    assert len(theirs.get("dicts", [])) > 100, theirs.get("error")
    assert cfg_compare.difference(ours, theirs) is None


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus at %s" % CORPUS)
def test_corpus():
    """The real suite, hashed line by line."""
    import subprocess

    build = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
    runner = pathlib.Path(os.environ.get("VT_RUNNER", build / "bin/avocado-runner-vt"))
    if not runner.exists():
        pytest.skip("%s is not built" % runner)
    done = subprocess.run([str(runner), "cfg", str(CORPUS / "list.cfg"), "--format", "jsonl"], check=True,
                          capture_output=True)
    lines = done.stdout.splitlines()
    golden = (CORPUS / "list.golden.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(golden)
    for line, expected in zip(lines, golden):
        digest, shortname, name = expected.split("\t")
        assert hashlib.sha256(line).hexdigest() == digest, shortname
        assert json.loads(line)["name"] == name
    assert json.loads(lines[0]) == json.loads((CORPUS / "list.1.json").read_text(encoding="utf-8"))
