# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped QEMU config set, expanded by upstream's own parser over the corpus' tests and compared with the corpus.

Needs upstream's package on the import path (PEER_SITE names its site-packages; `pip install --no-deps
avocado-framework-plugin-vt==113.0` into a virtual environment is enough) and the corpus (VT_CORPUS, or ../shared/corpus/qemu
beside the repository); is skipped without them.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SHARE = REPOSITORY / "cfg" / "share"
CORPUS = pathlib.Path(os.environ.get("VT_CORPUS", REPOSITORY.parent / "shared" / "corpus" / "qemu"))

sites = [os.environ["PEER_SITE"]] if os.environ.get("PEER_SITE") else []
sites += [str(site) for site in (REPOSITORY / "build/peer/lib").glob("python3*/site-packages")]
sys.path[:0] = sites
cartesian_config = pytest.importorskip("virttest.cartesian_config", reason="upstream's parser is not installed")
if not hasattr(cartesian_config, "Lexer"):
    pytest.skip("virttest.cartesian_config is ours, not upstream's", allow_module_level=True)
if not CORPUS.is_dir():
    pytest.skip(f"no corpus at {CORPUS}", allow_module_level=True)

PLAIN = """smp2 qcow2 virtio_net virtio_blk bridge default_bios smallpages no_9p_export no_virtio_rng
           no_pci_assignable (image_backend=filesystem)""".split()


def guest_tree(directory, depth):
    """The text of guest-os.cfg below a folder of guest definitions: X.cfg is the header of folder X."""
    pad = " " * depth
    text = ""
    for name in sorted({entry.stem if entry.suffix == ".cfg" else entry.name for entry in directory.iterdir()}):
        header, folder = directory / f"{name}.cfg", directory / name
        lines = header.read_text().splitlines() if header.is_file() else [f"- {name}:"]
        text += "".join(f"{pad}{line}\n" for line in lines)
        if folder.is_dir():
            text += f"{pad}    variants:\n" + guest_tree(folder, depth + 8)
    return text


def make_set(directory, guests):
    """A directory as bootstrap lays it out, with the corpus' tests and host."""
    directory.mkdir(parents=True)
    for source in [*(SHARE / "shared").glob("*.cfg"), *(SHARE / "backends" / "qemu" / "cfg").glob("*.cfg")]:
        shutil.copy(source, directory)
    (directory / "guest-os.cfg").write_text(
        "variants:\n    - Guest:\n        variants:\n" + guest_tree(guests, 12))
    for name in ("subtests.cfg", "host.cfg", "list.cfg"):
        (directory / name).write_bytes((CORPUS / name).read_bytes())
    return directory


def expand(file, *statements):
    parser = cartesian_config.Parser(str(file))
    for statement in statements:
        parser.parse_string(statement)
    return list(parser.get_dicts())


def line_of(dictionary):
    return json.dumps(dictionary, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("set") / "cfg", SHARE / "shared" / "guest-os")


def test_the_corpus_list_is_the_same_to_the_last_parameter(shipped):
    golden = [row.split("\t") for row in (CORPUS / "list.golden.tsv").read_text().splitlines()]
    ours = expand(shipped / "list.cfg")
    assert [found["shortname"] for found in ours] == [row[1] for row in golden]
    assert [found["name"] for found in ours] == [row[2] for row in golden]
    assert [hashlib.sha256(line_of(found).encode()).hexdigest() for found in ours] == [row[0] for row in golden]


@pytest.mark.parametrize("guest, machine", [
    ("RHEL.9.devel.x86_64", "i440fx"), ("RHEL.9.devel.aarch64", "arm64-pci"), ("RHEL.7.8.ppc64le", "pseries"),
    ("CentOS-Stream.10.devel.x86_64", "q35"), ("Fedora.31.s390x", "s390-virtio"), ("Fedora.31.riscv64", "riscv64-mmio"),
    ("OpenSUSE.42.3.x86_64", "i440fx"), ("SLES.12.3.x86_64", "i440fx"), ("Win10.i386", "i440fx"),
    ("Win2019.x86_64", "q35")])
def test_a_guest_that_upstream_defines_too_has_the_same_tests_and_parameters(shipped, guest, machine):
    statements = [f"only {word}" for word in [*PLAIN, guest, machine]] + ["no multi_host", "only boot migrate whql"]
    ours = expand(shipped / "tests-shared.cfg", *statements)
    upstream = expand(CORPUS / "tests-shared.cfg", *statements)
    assert ours
    assert [line_of(found) for found in ours] == [line_of(found) for found in upstream]


def test_a_guest_of_two_lines_is_listed_and_an_empty_drop_in_folder_is_no_guest(tmp_path):
    tree = tmp_path / "guest-os"
    shutil.copytree(SHARE / "shared" / "guest-os", tree)

    def custom(config):
        parser = cartesian_config.Parser(str(config / "machines.cfg"))
        parser.parse_file(str(config / "guest-os.cfg"))
        parser.parse_string("only LinuxCustom WindowsCustom\nonly i440fx")
        return {found["name"]: found["image_name"] for found in parser.get_dicts()}

    assert custom(make_set(tmp_path / "before", tree)) == {}
    (tree / "Linux/LinuxCustom/foo.cfg").write_text("- FooLinux:\n    image_name = images/foo-linux\n")
    (tree / "Windows/WindowsCustom/foo.cfg").write_text("- FooWindows:\n    image_name = images/foo-windows\n")
    assert custom(make_set(tmp_path / "after", tree)) == {
        "Guest.Linux.LinuxCustom.FooLinux.i440fx": "images/foo-linux",
        "Guest.Windows.WindowsCustom.FooWindows.i440fx": "images/foo-windows"}
