# SPDX-License-Identifier: GPL-2.0-or-later
"""The config sets that bootstrap makes, expanded by upstream's own parser and compared with upstream's sets.

The corpus' tests over the QEMU set give the corpus' list to the last parameter; guests that upstream defines too have the
same tests and parameters, imported ones among them; the other types' sets give what upstream's give.

Needs upstream's package on the import path (PEER_SITE names its site-packages; `pip install --no-deps
avocado-framework-plugin-vt==113.0` into a virtual environment is enough) and the corpus (VT_CORPUS, or ../shared/corpus/qemu
beside the repository); is skipped without them. VT_BUILD is the build directory, default build/release.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RUNNER = pathlib.Path(os.environ.get("VT_BUILD", REPOSITORY / "build/release")) / "bin/avocado-runner-vt"
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


SITE = pathlib.Path(cartesian_config.__file__).parents[1]


def bootstrap(data_dir, *options, vt_type="qemu"):
    """The config set of a type, as bootstrap makes it, with the corpus' host."""
    done = subprocess.run(
        [RUNNER, "bootstrap", "--data-dir", data_dir, "--vt-type", vt_type, "--vt-skip-verify-download-assets",
         *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    config = data_dir / "backends" / vt_type / "cfg"
    # What this host lacks of programs does not matter here.
    assert (config / "host.cfg").is_file(), done.stdout
    shutil.copy(CORPUS / "host.cfg", config)
    return config


def with_corpus_tests(config):
    for name in ("subtests.cfg", "list.cfg"):
        (config / name).write_bytes((CORPUS / name).read_bytes())
    return config


def expand(file, *statements):
    parser = cartesian_config.Parser(str(file))
    for statement in statements:
        parser.parse_string(statement)
    return list(parser.get_dicts())


def line_of(dictionary):
    return json.dumps(dictionary, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    return with_corpus_tests(bootstrap(tmp_path_factory.mktemp("shipped")))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Upstream's wheel, packed again from the installed package."""
    path = tmp_path_factory.mktemp("wheel") / "avocado_framework_plugin_vt-113.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((SITE / "virttest").rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(SITE))
    return path


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


def guests(config, *statements):
    """All guests of a set with their parameters, by name."""
    parser = cartesian_config.Parser(str(config / "machines.cfg"))
    parser.parse_file(str(config / "guest-os.cfg"))
    for statement in statements:
        parser.parse_string(statement)
    found = list(parser.get_dicts())
    names = [one["name"] for one in found]
    assert len(set(names)) == len(names), "a guest is there twice"
    return {one["name"]: one for one in found}


def test_an_import_brings_every_guest_of_upstream_with_its_parameters(tmp_path, wheel):
    ours = guests(bootstrap(tmp_path / "wheel", "--vt-import-config", wheel))
    upstream = guests(CORPUS)
    assert len(upstream) > 250
    assert {name: ours.get(name) for name in upstream} == upstream
    # The installed package gives the same as its wheel, and what was imported once is there for good.
    installed = bootstrap(tmp_path / "installed", "--vt-import-config", SITE)
    assert guests(installed) == ours
    assert guests(bootstrap(tmp_path / "installed")) == ours
    # Importing again replaces.
    assert guests(bootstrap(tmp_path / "installed", "--vt-import-config", wheel)) == ours


@pytest.mark.parametrize("guest, machine", [("RHEL.6.9.x86_64", "i440fx"), ("Win7.x86_64.sp1", "i440fx"),
                                            ("CentOS.7.4.ppc64le", "pseries")])
def test_an_imported_guest_has_upstreams_tests_and_parameters(tmp_path, wheel, guest, machine):
    config = with_corpus_tests(bootstrap(tmp_path, "--vt-import-config", wheel))
    statements = [f"only {word}" for word in [*PLAIN, guest, machine]] + ["no multi_host", "only boot migrate unattended_install.cdrom"]
    ours = expand(config / "tests-shared.cfg", *statements)
    upstream = expand(CORPUS / "tests-shared.cfg", *statements)
    assert ours
    assert [line_of(found) for found in ours] == [line_of(found) for found in upstream]


# Each kind of test that the sets treat by name.
SUBTESTS = """variants subtest:
    - x.unattended_install:
        type = unattended_install
        provider = x
        variants:
            - cdrom:
                cdrom_cd1 = isos/x
            - url:
    - @type_specific:
        variants subtest:
            - x.boot:
                type = boot
                variants:
                    - default:
                    - other:
                        kill_vm = yes
    - x.migrate:
        type = migrate
    - x.x86:
        type = y
        only q35 i440fx
"""


@pytest.mark.parametrize("vt_type", ["libvirt", "libguestfs", "openvswitch", "v2v", "lvsb", "virttools", "spice"])
def test_the_set_of_another_type_gives_what_upstreams_gives(tmp_path, vt_type):
    ours = bootstrap(tmp_path / "ours", vt_type=vt_type)
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    if vt_type != "lvsb":
        for name in ("guest-os", "base", "guest-hw", "machines", "cdkeys", "virtio-win"):
            shutil.copy(CORPUS / f"{name}.cfg", upstream)
    for file in (SITE / "virttest/backends" / vt_type / "cfg").glob("*.cfg"):
        shutil.copy(file, upstream)
    for config in (ours, upstream):
        (config / "subtests.cfg").write_text(SUBTESTS)
        shutil.copy(CORPUS / "host.cfg", config)
    only = [] if vt_type == "lvsb" else ["JeOS.27.x86_64", "i440fx"]
    if vt_type == "spice":
        only += ["smp2 qcow2 virtio_net virtio_blk".replace(" ", "..")]
    statements = [f"only {word}" for word in only]
    found = [line_of(one) for one in expand(ours / "tests.cfg", *statements)]
    assert len(found) >= 5
    engine = subprocess.run(
        [RUNNER, "cfg", ours / "tests.cfg", *[word for one in only for word in ("--only", one)], "--format", "jsonl"],
        capture_output=True, text=True, check=True)
    assert engine.stdout.splitlines() == found
    # Upstream has no set for spice before its provider is fetched.
    if vt_type != "spice":
        assert found == [line_of(one) for one in expand(upstream / "tests.cfg", *statements)]


def test_a_guest_of_two_lines_is_listed_and_an_empty_drop_in_folder_is_no_guest(tmp_path):
    custom = ("only LinuxCustom WindowsCustom", "only i440fx")
    assert guests(bootstrap(tmp_path), *custom) == {}
    # The place of the user's manual, and the one beside it.
    for place, text in (("shared/cfg/guest-os/Linux/LinuxCustom", "- FooLinux:\n    image_name = images/foo-linux\n"),
                        ("guest-os/Windows/WindowsCustom", "- FooWindows:\n    image_name = images/foo-windows\n")):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / "foo.cfg").write_text(text)
    found = guests(bootstrap(tmp_path), *custom)
    assert {name: one["image_name"] for name, one in found.items()} == {
        "Guest.Linux.LinuxCustom.FooLinux.i440fx": "images/foo-linux",
        "Guest.Windows.WindowsCustom.FooWindows.i440fx": "images/foo-windows"}
