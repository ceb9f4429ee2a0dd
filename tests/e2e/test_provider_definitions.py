# SPDX-License-Identifier: GPL-2.0-or-later
"""Definitions of test providers, and providers that are directories."""

import os
import pathlib
import shutil
import subprocess
import time

import pytest

from git_places import config_of, listed, place  # noqa: F401 (fixtures among them)


@pytest.fixture(name="tree")
def _tree(tmp_path):
    """Makes directories of tests: tree("name", "test", …)."""

    def make(name, *tests, section="generic"):
        base = tmp_path / name / section / "tests"
        (base / "cfg").mkdir(parents=True)
        for test in tests:
            (base / f"{test}.py").write_text("def run(test, params, env):\n    pass\n")
            (base / "cfg" / f"{test}.cfg").write_text(config_of(test))
        return tmp_path / name

    return make


def test_both_spellings_of_file(place, tree):
    directory = tree("t", "here")
    place.define(f"file://{directory}", name="three")
    place.define(f"file:/{directory}", name="two")  # file://tmp/…, as the user's guide spells it
    assert "uri: file://" + str(directory)[1:] in (place.definitions / "two.ini").read_text()
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["three.here", "two.here"]


def test_a_lone_directory_is_enough(place, tree):
    place.define(f"file://{tree('t', 'here')}")
    for name in ("io-github-autotest-qemu", "io-github-autotest-libvirt", "io-github-spiceqa-spice"):
        (place.definitions / f"{name}.ini").write_text("[provider]\nuri: file:///nowhere\n")
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    assert listed(place) == ["mine.here"] and not list(place.downloads.iterdir())


def test_several_providers_of_one_type(place, tree):
    for name in ("a", "b"):
        place.define(f"file://{tree(name, 'same', section='qemu')}", name=name, sections=("qemu",))
    place.define(f"file://{tree('c', 'same')}", name="c", sections=("generic",))  # upstream crashes here
    assert place.bootstrap().returncode == 0
    assert listed(place) == ["type_specific.a.same", "type_specific.b.same", "c.same"]


def test_the_users_definition_beats_the_shipped_one(place, tree):
    place.define(f"file://{tree('t', 'here')}", name="io-github-autotest-qemu")
    done = place.bootstrap()
    assert done.returncode == 0
    assert listed(place) == ["io-github-autotest-qemu.here"]
    # Upstream's place serves as well, and a changed shipped file is the user's own.
    (place.definitions / "io-github-autotest-qemu.ini").rename(
        place.data / "virttest/test-providers.d/io-github-autotest-qemu.ini"
    )
    done = place.bootstrap()
    assert "it is your own" in done.output
    assert listed(place) == ["io-github-autotest-qemu.here"]


def test_every_section_of_the_facts_and_no_other(place, tree):
    sections = "generic multi_host_migration qemu libvirt libguestfs openvswitch v2v lvsb spice virttools".split()
    for section in sections:
        tree("t", f"of_{section}", section=section)
    place.define(f"file://{place.base}/t", sections=(*sections, "agnostic"))
    for vt_type in sections[2:]:
        done = place.bootstrap("--vt-type", vt_type)
        if vt_type == "spice":
            continue  # its config set comes from its provider
        assert "sections that no type of test has are ignored: agnostic" in done.output
        text = (place.data / f"backends/{vt_type}/cfg/subtests.cfg").read_text()
        names = {line.split(".")[1].rstrip(":") for line in text.splitlines() if line.strip().startswith("- mine.")}
        shared = set() if vt_type == "lvsb" else {"of_generic", "of_multi_host_migration"}
        assert names == shared | {f"of_{vt_type}"}


def bad_definition(path, kind):
    """Makes one; returns what the message must have."""
    good = "[provider]\nuri: file:///usr\n[generic]\nsubdir: x\n"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(
            {
                "empty": b"",
                "binary": bytes(range(256)) * 20,
                "huge": good.encode() + b"# x\n" * (1 << 19),
                "one long line": b"x" * (1 << 19),
                "no uri": b"[provider]\nbranch: x\n",
                "key twice": b"[provider]\nuri: file:///a\nuri: file:///b\n",
                "no section": b"uri: file:///a\n",
                "ext": b"[provider]\nuri: ext::sh -c id% >&2\n",
                "relative": b"[provider]\nuri: some/where\n",
                "subdir out": b"[provider]\nuri: file:///a\n[qemu]\nsubdir: ../../etc\n",
                "password": b"[provider]\nuri: ftp://me:geheim@example.org/x\n",
            }[kind]
        )
    return path.name


KINDS = (
    "fifo device directory loop dangling empty binary huge no_uri key_twice no_section ext relative subdir_out "
    "password one_long_line"
).split()


def test_bad_definitions_are_named_and_left_out(place, tree):
    place.define(f"file://{tree('t', 'here')}", name="good")
    for kind in KINDS:
        bad_definition(place.definitions / f"bad_{kind}.ini", kind.replace("_", " "))
    done = place.bootstrap()
    assert done.returncode == 0, done.output
    lines = [line for line in done.output.splitlines() if "Leaving out a test provider" in line]
    for kind in KINDS:
        assert any(f"bad_{kind}.ini" in line for line in lines), kind
    assert all(len(line) < 600 for line in lines)
    assert "geheim" not in done.output
    assert listed(place) == ["good.here"]


def test_a_name_ends_at_the_first_dot(place, tree):
    place.define(f"file://{tree('t', 'here')}", name="my.tests.v2")
    done = place.bootstrap()
    assert done.returncode == 0 and listed(place) == ["my.here"]
    place.define(f"file://{tree('u', 'there')}", name="my.others")
    done = place.bootstrap()
    assert "both define 'my'" in done.output
    assert listed(place) == ["my.there"]  # the first by name


def test_a_broken_definition_of_the_users_is_not_replaced_by_the_shipped_one(place):
    (place.definitions / "io-github-autotest-qemu.ini").write_text("[provider\n")
    done = place.bootstrap()
    assert "Leaving out a test provider" in done.output
    assert "io-github-autotest-qemu is not fetched" not in done.output


def test_a_providers_files_vanish(place, tree):
    directory = tree("t", "here")
    place.define(f"file://{directory}", name="gone")
    place.define(f"file://{tree('u', 'there')}", name="good")
    place.bootstrap()
    shutil.rmtree(directory)
    assert listed(place) == ["gone.here", "good.there"]  # lists are of what was bootstrapped
    done = place.bootstrap()
    assert done.returncode == 0
    assert f"The directory of test provider gone is not there: {directory}" in done.output
    assert listed(place) == ["good.there"]


def test_loops_of_links_in_a_provider(place, tree):
    directory = tree("t", "here")
    (directory / "generic/tests/loop").symlink_to("..")
    (directory / "generic/tests/cfg/again").symlink_to(directory)
    (directory / "generic/tests/self").symlink_to("self")
    place.define(f"file://{directory}")
    begun = time.monotonic()
    assert place.bootstrap(timeout=30).returncode == 0
    assert listed(place) == ["mine.here"]
    assert time.monotonic() - begun < 20


def test_configs_that_cannot_be_read_are_named_and_left_out(place, tree):
    directory = tree("t", "here")
    cfg = directory / "generic/tests/cfg"
    (cfg / "binary.cfg").write_bytes(bytes(range(256)))
    (cfg / "syntax.cfg").write_text("- broken\n    type = broken\n  only ..\n")
    (cfg / "link.cfg").symlink_to("link.cfg")
    (cfg / "dir.cfg").mkdir()
    os.mkfifo(cfg / "pipe.cfg")
    place.define(f"file://{directory}")
    done = place.bootstrap(timeout=30)
    assert done.returncode == 0, done.output
    for name in ("binary.cfg", "syntax.cfg"):
        assert name in done.output
    assert listed(place) == ["mine.here"]


def test_subdir_that_is_not_there_is_named(place, tree):
    place.define(f"file://{tree('t', 'here')}", sections=("generic", "qemu"))
    done = place.bootstrap()
    assert "the folder of its section [qemu] is not there" in done.output
    assert listed(place) == ["mine.here"]


def test_the_guides_development_workflow(place, tree):
    """user-libvirt.ini as the user's guide has it, but for the directory."""
    code = tree("tp-libvirt", "unattended_install", section="libvirt")
    for section in ("libguestfs", "lvsb", "v2v"):
        tree("tp-libvirt", f"of_{section}", section=section)
    (place.definitions / "user-libvirt.ini").write_text(
        f"[provider]\nuri: file://{code}\n[libvirt]\nsubdir: libvirt/\n[libguestfs]\nsubdir: libguestfs/\n"
        "[lvsb]\nsubdir: lvsb/\n[v2v]\nsubdir: v2v/\n"
    )
    (code / "libvirt/tests/cfg/unattended_install.cfg").write_text(
        "- unattended_install:\n    type = unattended_install\n    variants:\n        - cdrom:\n"
        "            variants:\n                - extra_cdrom_ks:\n                    variants:\n"
        "                        - default_install:\n                            variants:\n"
        "                                - aio_native:\n                                - aio_threads:\n"
        "                        - perf:\n                            variants:\n"
        "                                - aio_native:\n"
    )
    done = place.bootstrap("--vt-type", "libvirt")
    names = place.tests("--vt-guest-os", "RHEL.9.devel.x86_64", vt_type="libvirt")
    assert [name for name in names if not name.startswith("builtin")] == [
        "user-libvirt.unattended_install.cdrom.extra_cdrom_ks.default_install.aio_native",
        "user-libvirt.unattended_install.cdrom.extra_cdrom_ks.default_install.aio_threads",
        "user-libvirt.unattended_install.cdrom.extra_cdrom_ks.perf.aio_native",
    ], done.output


def test_nothing_heavy_is_loaded_unless_git_is_needed(place, tree):
    maps = subprocess.run(
        ["ldd", pathlib.Path(place.command()[0]).resolve()], capture_output=True, text=True, check=True
    ).stdout
    assert "libgit2" not in maps
    place.define(f"file://{tree('t', 'here')}")
    assert "provider-worker" not in place.bootstrap().output
