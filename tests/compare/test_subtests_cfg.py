# SPDX-License-Identifier: GPL-2.0-or-later
"""subtests.cfg from one and the same provider trees: upstream's bootstrap against ours.

Upstream's order within a group is that of a hash table, so each group is compared as a set of blocks, a block being what one
variant's header brings along. Blank lines and comments do not count. Needs upstream in build/peer (tools/peer.sh) or PEER_PYTHON.
"""

import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNNER = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release")) / "bin/avocado-runner-vt"
PEER = pathlib.Path(os.environ.get("PEER_PYTHON", ROOT / "build/peer/bin/python3"))

UPSTREAM = """
import sys
from virttest import bootstrap
for vt_type in sys.argv[1:]:
    bootstrap.create_subtests_cfg(vt_type)
"""


@pytest.fixture(name="world")
def _world(tmp_path):
    """Makes providers, generates with both, returns the two texts: world(files, definition, type)."""
    if not RUNNER.exists() or not PEER.exists():
        pytest.skip("upstream's parser is not installed")
    (tmp_path / "home/.config/avocado").mkdir(parents=True)
    (tmp_path / "home/.config/avocado/avocado.conf").write_text(
        f"[datadir.paths]\nbase_dir = {tmp_path}\ndata_dir = {tmp_path}/upstream\n"
    )
    environment = {
        "HOME": str(tmp_path / "home"),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    def make(files, definitions, vt_type):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        upstream = tmp_path / "upstream/avocado-vt"
        (upstream / "virttest/test-providers.d").mkdir(parents=True, exist_ok=True)
        (upstream / "backends" / vt_type / "cfg").mkdir(parents=True, exist_ok=True)
        ours = tmp_path / "ours"
        (ours / "test-providers.d").mkdir(parents=True, exist_ok=True)
        for name, sections in definitions.items():
            text = f"[provider]\nuri: file://{tmp_path}/{name}\n"
            text += "".join(f"[{section}]\nsubdir: {section}/\n" for section in sections)
            (upstream / f"virttest/test-providers.d/{name}.ini").write_text(text)
            (ours / f"test-providers.d/{name}.ini").write_text(text)
        subprocess.run([PEER, "-c", UPSTREAM, vt_type], env=environment, check=True, capture_output=True, timeout=120)
        options = ["--vt-type", vt_type, "--vt-skip-verify-download-assets"]
        subprocess.run(
            [RUNNER, "bootstrap", "--data-dir", ours, *options], env=environment, capture_output=True, timeout=120, check=False
        )
        return tuple((base / "backends" / vt_type / "cfg/subtests.cfg").read_text() for base in (upstream, ours))

    return make


def groups(text):
    """Blocks before, inside and after the type's own: three lists of blocks, a block being a tuple of lines."""
    found = ([], [], [])
    where, column = 0, 4
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if not line.strip() or line.strip().startswith("#") or indent == 0:
            continue
        if line.strip() == "- @type_specific:":
            where, column = 1, 12
            continue
        if where == 1 and line.strip() == "variants subtest:" and indent == 8:
            continue
        if where == 1 and indent == 4 and line.strip().startswith("- "):
            where, column = 2, 4
        if indent == column and line.strip().startswith("- "):
            found[where].append([])
        found[where][-1].append(line)
    return [sorted(tuple(block) for block in group if not block[0].strip().startswith("- builtin.")) for group in found]


def order(text):
    """Names of the variants in their order, the type's own left out."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("    - ") and "@type_specific" not in line]
    return [line[2:].split(":")[0].split(".", 1)[1] for line in lines if not line.startswith("- builtin.")]


# Upstream wants both of whoever has one, but tells whose a multi-host config is by a variable of another loop.
BOTH = ("generic", "multi_host_migration")

TREE = {
    "one/generic/tests/a.py": "",  # upstream's bootstrap crashes where no test is a .py file
    "one/generic/tests/cfg/a.cfg": "- a:\n    type = a\n\n    variants:\n        - x:\n        - y:\n",
    "one/generic/tests/cfg/shutdown.cfg": "- shutdown:\n    type = shutdown\n",
    "one/generic/tests/cfg/steps.cfg": "- steps: a\n    type = steps\n",
    "one/generic/tests/sub/deep/b.cfg": "# why\n- b: a unattended_install\n    provider = mine\n    type = b\n- b2:\n    type = b\n",
    "one/generic/tests/.hidden/c.cfg": "- hidden:\n    type = c\n",
    "one/generic/cfg/d.cfg": "- of_the_sections_cfg:\n    type = d\n",
    "one/generic/tests/cfg/__init__.cfg": "- init:\n    type = init\n",
    "one/qemu/tests/cfg/e.cfg": "- @e:\n    type = e\n    only x\n",
    "one/qemu/tests/cfg/unattended_install.cfg": "- install:\n    type = unattended_install\n",
    "one/qemu/tests/cfg/remove_guest.cfg": "- remove_guest:\n    type = remove\n",
    "one/libvirt/tests/cfg/remove_guest.cfg": "- remove_guest:\n    virt_test_type = libvirt\n    type = remove\n",
    "one/libvirt/tests/cfg/f.cfg": "- f:\n    type = f\n",
    "one/lvsb/tests/cfg/l.cfg": "- l:\n    type = l\n",
    "one/v2v/tests/cfg/unattended_install.cfg": "- u:\n    type = u\n",
    "two/generic/tests/cfg/a.cfg": "- a:\n    type = a\n",
    "two/qemu/tests/cfg/e.cfg": "- e:\n    type = e\n",
}


@pytest.mark.parametrize("vt_type", ["qemu", "libvirt", "lvsb", "v2v", "libguestfs", "openvswitch", "virttools"])
def test_same_blocks_in_the_same_groups(world, vt_type):
    sections = {"one": BOTH + ("qemu", "libvirt", "lvsb", "v2v"), "two": BOTH + ("qemu",)}
    upstream, ours = world(TREE, sections, vt_type)
    if "@type_specific" in ours:
        assert groups(ours) == groups(upstream)
    else:  # an empty block of the type's own tests is left out
        before, own, after = groups(upstream)
        assert not own and groups(ours)[0] == sorted(before + after)
    assert any(groups(ours)) or vt_type in ("virttools",)
    last = {"qemu": ["shutdown"], "libvirt": ["remove_guest", "shutdown"], "v2v": ["shutdown"]}.get(vt_type, [])
    for text in (ours, upstream):
        assert sorted(order(text)[len(order(text)) - len(last) :]) == last


def test_order_is_by_name(world):
    files = {f"one/generic/tests/cfg/{name}.cfg": f"- {name}:\n    type = {name}\n" for name in "zbyac"}
    _, ours = world(files, {"one": BOTH}, "qemu")
    assert order(ours) == list("abcyz")


def test_where_upstream_stumbles(world, tmp_path):
    """A lone header gets its provider, one after another too; a second colon is named instead of ending the bootstrap."""
    files = {
        "one/qemu/tests/cfg/lone.cfg": "- lone:",
        "one/qemu/tests/cfg/two.cfg": "- first:\n- second:\n    type = second",
    }
    _, ours = world(files, {"one": BOTH + ("qemu",)}, "qemu")
    blocks = {block[0].strip(): [line.strip() for line in block[1:]] for block in groups(ours)[1]}
    given = ["virt_test_type = qemu", "provider = one"]
    assert blocks == {
        "- one.lone:": given,
        "- one.first:": given,
        "- one.second:": given + ["type = second"],
    }
    (tmp_path / "one/qemu/tests/cfg/colon.cfg").write_text("- colon: a: b\n    type = colon\n")
    done = subprocess.run(
        [RUNNER, "bootstrap", "--data-dir", tmp_path / "ours", "--vt-skip-verify-download-assets"],
        env={**os.environ, "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    text = (tmp_path / "ours/backends/qemu/cfg/subtests.cfg").read_text()
    assert "one.first" in text and ("colon.cfg" in done.stdout) == ("one.colon" not in text)
