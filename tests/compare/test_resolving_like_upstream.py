# SPDX-License-Identifier: GPL-2.0-or-later
"""The same command lines through upstream's resolver and ours, over one config set and data directory.

Names, order and parameters have to be the same. Where ours differs on purpose, a test below says so, and
docs/avocado-vt.md lists it.
"""

import os
import pathlib
import shutil

import pytest

from peer_world import ROOT, TYPES, World, differences, needs_both

CORPUS = pathlib.Path(os.environ.get("VT_CORPUS", ROOT.parent / "shared" / "corpus" / "qemu"))

pytestmark = needs_both

QEMU = ("--vt-type", "qemu")
HELLO = (*QEMU, "hello")


def qemu(**settings):
    return HELLO, {"vt.qemu": settings}


def common(**settings):
    return HELLO, {"vt.common": settings}


REFERENCES = [
    (arguments, {})
    for arguments in (
        QEMU,
        (*QEMU, "boot"),
        (*QEMU, "mine.boot"),
        (*QEMU, "type_specific.mine.migrate.default.tcp"),
        (*QEMU, "migrate..tcp"),
        (*QEMU, "tcp..migrate"),
        (*QEMU, "migrate.tcp"),
        (*QEMU, "default.tcp,hello"),
        (*QEMU, "tcp, unix"),
        (*QEMU, "unix tcp"),
        (*QEMU, "(subtest=mine).boot"),
        (*QEMU, "migrate", "hello", "migrate..tcp", "hello"),
        (*QEMU, "nothing_like_it", "boot"),
        (*QEMU, "migrat"),
        (*QEMU, "i440fx..hello", "JeOS.27..boot"),
        (*QEMU, "a:b", "boot", "x y z", "/no/such/file"),
    )
]

OPTIONS = [
    (arguments, {})
    for arguments in (
        (*QEMU, "--vt-only-filter", "migrate tcp"),
        (*QEMU, "--vt-only-filter", "hello,boot", "--vt-no-filter", "boot"),
        (*QEMU, "--vt-no-filter", "migrate unattended_install..cdrom", "mine"),
        (*HELLO, "--vt-filter-default-filters", "smallpages"),
        (*HELLO, "--vt-filter-default-filters", "no_9p_export,no_virtio_rng multihost image_backend"),
        (*HELLO, "--vt-arch", "x86_64"),
        (*HELLO, "--vt-arch", "aarch64"),
        (*HELLO, "--vt-arch", "aarch64", "--vt-machine-type", "arm64-pci"),
        (*QEMU, "--vt-machine-type", "q35", "boot"),
        (*HELLO, "--vt-machine-type", "i440fx,q35"),
        (*HELLO, "--vt-guest-os", "JeOS.27.x86_64"),
        (*HELLO, "--vt-guest-os", "Guest.Linux.JeOS.27.x86_64"),
        (*HELLO, "--vt-guest-os", "RHEL.9"),
        (*HELLO, "--vt-guest-os", "RHEL.9, Win2019"),
        (*QEMU, "--vt-guest-os", "Win10.i386", "boot"),
        (*HELLO, "--vt-guest-os", ""),
        (*HELLO, "--vt-guest-os", "NoSuchGuest"),
        (*HELLO, "--vt-qemu-bin", "/bin/true", "--vt-qemu-dst-bin", "/bin/false"),
        (*HELLO, "--vt-qemu-bin", "/no/such"),
        ("--vt-type", "nope", "hello"),
        (*HELLO, "--vt-extra-params", "novalue"),
        ("hello", "boot"),
    )
]

ODD = (
    "a=b=c", "e=", "spaced=  two  words  ", 'quoted="in quotes"', "hash=a # b", "umlaut=grün", "mem_vm1=123",
    "ref=${mem} and ${smp}", "dollar=$mem", "back=a\\b\\", "json=json:{\"a\": 1}", "many=a,b c;d:e", "suffix_image1=x",
    "start_vm=yes", "image_name=images/other", "comma=,", "percent=%s %d", "apostrophe=it's", "tilde=~/x",
    "image_size_equal=10G", "mem += 1=2", "kill_vm.*?=3", "name=mine", "shortname=short", "type=other",
)
EXTRA = [((*QEMU, "hello", "boot", "--vt-extra-params", parameter), {}) for parameter in ODD] + [
    ((*HELLO, *(word for parameter in ODD[:12] for word in ("--vt-extra-params", parameter))), {}),
    ((*HELLO,), {"vt": {"extra_params": '["a=b", "c=d e"]'}}),
]

SETTINGS = [
    qemu(smp=1), qemu(smp=2), qemu(smp=4), qemu(smp="many"),
    *(qemu(disk_bus=bus) for bus in (
        "virtio_blk", "ide", "scsi", "virtio_scsi", "lsi_scsi", "ahci", "usb2", "xenblk", "floppy")),
    *(qemu(image_type=name) for name in ("qcow2", "raw", "qed", "vmdk", "luks")),
    *(qemu(nic_model=name) for name in ("virtio_net", "e1000", "rtl8139", "spapr-vlan", "igb")),
    qemu(accel="tcg"), qemu(monitor="qmp"), qemu(monitor="human"), qemu(sandbox="off"), qemu(malloc_perturb="no"),
    qemu(vhost="on"),
    qemu(smp=8, disk_bus="ide", image_type="luks", nic_model="igb", accel="tcg", monitor="human", sandbox="off"),
    common(mem=777), common(nettype="none"), common(nettype="nonsense"), common(arch="x86_64"),
    common(machine_type="q35"),
    (HELLO, {"vt.setup": {"backup_image_before_test": "no"}}),
    (HELLO, {"vt.setup": {"restore_image_after_test": "False"}}),
    ((*QEMU, "shutdown"), {"vt.setup": {"keep_guest_running": "yes"}}),
    (("hello",), {"vt": {"type": "qemu", "guest_os": "RHEL.9", "only_filter": "mine"}}),
    (QEMU, {"vt": {"no_filter": "mine", "short_names_when_config": "yes"}}),
    (HELLO, {"vt.filter": {"default_filters": "smallpages"}}),
] + ([] if os.geteuid() != 0 else [
    common(nettype="bridge", netdst="br7"),
    (HELLO, {"vt.qemu": {"vhost": "on"}, "vt.common": {"nettype": "bridge"}}),
    (HELLO, {"vt.qemu": {"vhost": "force"}, "vt.common": {"nettype": "bridge"}}),
])

# spice and lvsb take no guest, so that spice has hundreds of thousands of tests; libvirt takes its driver from a URI; the
# rest are like qemu without its own options.
FEW = ("--vt-only-filter", "JeOS.27 i440fx smp2 virtio_net virtio_blk qcow2 smallpages default_bios bridge")
OTHER_TYPES = [
    (("--vt-type", kind, *(FEW if kind == "spice" else ()), *more), {})
    for kind in TYPES if kind != "qemu"
    for more in ((), ("migrate..tcp", "hello", "--vt-extra-params", "mem=5", "--vt-no-filter", "boot"))
    if more or kind != "v2v"
] + [
    (("--vt-type", "libvirt", "--vt-connect-uri", uri, "hello"), {})
    for uri in ("qemu:///system", "lxc:///", "xen:///", "esx:///")
] + [
    (("--vt-type", "libvirt", "hello"), {"vt.libvirt": {"connect_uri": "lxc:///"}, "vt.qemu": {"smp": 4}}),
    (("--vt-type", "openvswitch", "hello"), {"vt.qemu": {"smp": 4, "disk_bus": "ide"}}),
    (("--vt-type", "v2v", "--vt-guest-os", "RHEL.9", "hello"), {"vt.common": {"mem": 99}}),
    (("--vt-type", "spice", *FEW, "--vt-guest-os", "RHEL.9", "hello"), {"vt.common": {"nettype": ""}}),
    (("--vt-type", "lvsb", "--vt-only-filter", "boot"), {"vt.common": {"mem": 99}}),
]


@pytest.fixture(scope="module", name="world")
def _world(tmp_path_factory):
    world = World(tmp_path_factory.mktemp("world"))
    world.add_provider(TYPES)
    for kind in TYPES:
        done = world.ours("vt-bootstrap", "--vt-type", kind, "--vt-no-downloads", "--vt-skip-verify-download-assets")
        assert (world.data / "backends" / kind / "cfg" / "subtests.cfg").is_file(), done.stdout + done.stderr
    return world


def shown(case):
    arguments, sections = case
    return f"{' '.join(arguments)} {sections or ''}"


def check(world, cases, found_at_least):
    """All cases the same, and so many of them with tests: a comparison of nothing proves nothing."""
    problems, with_tests = [], 0
    for case, (upstream, ours) in zip(cases, world.compare(cases), strict=True):
        problems += [f"{shown(case)}\n    {line}" for line in differences(upstream, ours)]
        with_tests += bool(upstream["tests"])
        assert "Traceback" not in str(ours["status"]), ours
    assert not problems, "\n".join(problems)
    assert with_tests >= found_at_least, f"{with_tests} of {len(cases)}"


def test_references(world):
    check(world, REFERENCES, 14)


def test_options(world):
    check(world, OPTIONS, 17)


def test_extra_parameters(world):
    check(world, EXTRA, 20)


def test_settings(world):
    check(world, SETTINGS, 30)


def test_other_types(world):
    check(world, OTHER_TYPES, 20)


# Where ours differs on purpose: (command line, names that ours gives, what docs/avocado-vt.md says of it).
DEVIATIONS = [
    ((*QEMU, "--vt-only-filter", "hello  mine"), {}, ["mine.hello"], "blanks between filters"),
    ((*HELLO, "--vt-machine-type", ""), {}, ["mine.hello"], "`--vt-machine-type ''`"),
    (QEMU, {"vt.common": {"type_specific_only": "yes"}}, None, "`vt.common.type_specific_only`"),
    (HELLO, {"vt.qemu": {"defconfig": "no"}}, ["mine.hello"], "`vt.qemu.defconfig`"),
    (HELLO, {"vt": {"extra_params": "a=b"}}, ["mine.hello"], "`vt.extra_params` in a file"),
    (HELLO, {"vt.common": {"nettype": ""}}, ["mine.hello"], "`nettype`, unless told"),
    ((*HELLO, "--vt-qemu-bin", "bin/qemu-kvm"), {}, ["mine.hello"], "a relative path of QEMU"),
    (("--vt-config", "{own}/plain.cfg"), {}, ["one", "two"], "a config without `subtests.cfg`"),
    (("--vt-config", "{own}/plain.cfg", "two"), {}, ["two"], "a config without `subtests.cfg`"),
]


def test_differences_are_the_documented_ones(world, tmp_path):
    (tmp_path / "plain.cfg").write_text(
        "variants:\n    - one:\n        type = a\n    - two:\n        type = b\n", encoding="utf-8")
    document = " ".join((ROOT / "docs" / "avocado-vt.md").read_text(encoding="utf-8").split())
    cases = [([word.format(own=tmp_path) for word in arguments], sections) for arguments, sections, _, _ in DEVIATIONS]
    for (_, _, names, said), case, (upstream, ours) in zip(DEVIATIONS, cases, world.compare(cases), strict=True):
        found = [uri for _, uri, _ in ours["tests"]]
        assert found, (shown(case), ours["text"])
        if names is not None:
            assert found == names, shown(case)
        else:
            assert all(".mine." in name and name.startswith("type_specific.") for name in found), found
        if said == "`nettype`, unless told" and os.path.exists("/sys/class/net/virbr0/bridge"):
            continue  # the bridge that upstream takes for granted is there: the same
        assert differences(upstream, ours), f"{shown(case)}: no difference any more"
        assert said in document, f"docs/avocado-vt.md does not say: {said}"


def test_a_config_of_the_users_own(world, tmp_path):
    cfg = world.data / "backends" / "qemu" / "cfg"
    (tmp_path / "all.cfg").write_text(f"include {cfg}/tests.cfg\nonly i440fx\nonly JeOS.27\nonly smp2\nonly qcow2\n"
                                      "only virtio_net\nonly virtio_blk\nonly hello migrate\nmem = 44\n", encoding="utf-8")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "subtests.cfg").write_text(
        "variants:\n    - first:\n        type = hello\n    - second:\n        type = boot\n        variants:\n"
        "            - @x:\n            - y:\n", encoding="utf-8")
    (tmp_path / "own.cfg").write_text(f"a = 1\ninclude {tmp_path}/own/subtests.cfg\nvariants:\n    - p:\n    - @q:\n",
                                      encoding="utf-8")
    (tmp_path / "own" / "tests-variants.cfg").write_text(
        "include subtests.cfg\nvariants:\n    - client:\n    - server:\n", encoding="utf-8")
    every = ("--vt-config", f"{tmp_path}/all.cfg")
    own = ("--vt-config", f"{tmp_path}/own.cfg")
    check(world, [(arguments, sections) for arguments in (
        every,
        (*every, "migrate..tcp", "hello"),
        (*every, "--vt-short-names-when-config", "tcp"),
        (*every, "--vt-guest-os", "RHEL.9", "--vt-machine-type", "q35", "--vt-arch", "ppc64", "hello"),
        (*every, "--vt-only-filter", "tcp", "--vt-extra-params", "x=y"),
        (*every, "--vt-qemu-bin", f"{world.bin}/qemu-kvm", "hello"),
        (*every, "--vt-type", "libvirt", "hello"),
        (*every, "--vt-type", "lvsb", "hello"),
        own,
        (*own, "second"),
        (*own, "--vt-no-filter", "first p"),
        (*own, "--vt-short-names-when-config"),
        ("--vt-type", "spice", "--vt-config", f"{tmp_path}/own/tests-variants.cfg", "second"),
        ("--vt-config", f"{tmp_path}/own/tests-variants.cfg", "second"),
    ) for sections in ({},)] + [
        ((*own, "first"), {"vt.qemu": {"accel": "tcg", "smp": "8", "malloc_perturb": "no", "sandbox": "off"}}),
        ((*own, "first"), {"vt": {"short_names_when_config": "yes"}, "vt.setup": {"keep_guest_running": "yes"}}),
        ((), {"vt": {"config": f"{tmp_path}/own.cfg", "type": "qemu"}}),
    ], 16)


def test_the_saved_config_says_what_upstreams_says(world, tmp_path):
    files = [tmp_path / "upstream.cfg", tmp_path / "ours.cfg"]
    arguments = (*QEMU, "--vt-only-filter", "migrate", "--vt-no-filter", "unix", "--vt-guest-os", "RHEL.9", "tcp")
    for program, file in zip((world.peer, world.ours), files):
        program("--config", world.config({"vt.common": {"nettype": "user"}, "vt.qemu": {"smp": 4}}),
                "list", *arguments, "--vt-save-config", file)
    upstream, ours = (file.read_text(encoding="utf-8").splitlines() for file in files)
    assert ours == [*upstream[:ours.index("only tcp")], "only tcp", *upstream[ours.index("only tcp"):]]
    (theirs, own), (theirs_again, own_again) = world.compare([
        (arguments, {"vt.qemu": {"smp": 4}}), (("--vt-config", str(files[1])), {})])
    assert not differences(theirs, own)
    assert not differences(theirs_again, own_again)
    assert not differences(own, own_again)


def test_lists_of_guests_and_architectures(world):
    settings = world.config({"vt.common": {"machine_type": "q35"}})
    for arguments in (
        ("vt-list-guests",), ("vt-list-archs",), ("vt-list-guests", "--guest-os", "RHEL"),
        ("vt-list-guests", "--vt-type", "libvirt"), ("--config", settings, "vt-list-guests"),
        ("--config", settings, "vt-list-archs"), ("vt-list-guests", "--guest-os", "NoSuchGuest"),
    ):
        upstream, ours = world.peer(*arguments), world.ours(*arguments)
        assert ours.stdout == upstream.stdout, arguments
        assert ours.returncode == upstream.returncode == 0, ours.stderr


def test_a_directory_that_upstream_bootstrapped_and_upstream_after_us(tmp_path):
    world = World(tmp_path / "world")
    world.add_provider(("qemu", "libvirt"))
    done = world.peer("vt-bootstrap", "--vt-no-downloads", "--yes-to-all")
    assert done.returncode == 0, done.stdout + done.stderr
    before = sorted(path.relative_to(world.data) for path in world.data.rglob("*"))
    cases = [((*QEMU, "--vt-guest-os", "JeOS.27.x86_64"), {}), ((*QEMU, "migrate..tcp"), {}), (("boot",), {})]
    # Upstream takes files of a group in the directory's order, and its own set as it is.
    check(world, cases, 3)
    assert world.ours("vt-list-guests").stdout == world.peer("vt-list-guests").stdout
    assert sorted(path.relative_to(world.data) for path in world.data.rglob("*")) == before, "listing wrote something"

    done = world.ours("vt-bootstrap", "--vt-no-downloads", "--vt-skip-verify-download-assets", "--vt-guest-os", "JeOS.27")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = world.peer("list", "--vt-type", "qemu").stdout.splitlines()
    assert [line.split()[1] for line in listed] == [
        line.split()[1] for line in world.ours("list", "--vt-type", "qemu").stdout.splitlines()]
    assert {"avocado-vt mine.hello", "avocado-vt type_specific.mine.migrate.default.tcp"} <= set(listed)
    check(world, cases, 3)
    # And back: upstream's bootstrap over ours.
    done = world.peer("vt-bootstrap", "--vt-no-downloads", "--yes-to-all")
    assert done.returncode == 0, done.stdout + done.stderr
    check(world, cases, 3)


@pytest.fixture(scope="module", name="corpus")
def _corpus(tmp_path_factory):
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}")
    world = World(tmp_path_factory.mktemp("corpus"))
    (world.data / "virttest" / "test-providers.d" / "downloads" / "kept").mkdir(parents=True)
    cfg = world.data / "backends" / "qemu" / "cfg"
    cfg.mkdir(parents=True)
    for file in CORPUS.glob("*.cfg"):
        shutil.copyfile(file, cfg / file.name)
    return world


def test_the_suite_that_users_run(corpus):
    check(corpus, [
        ((*QEMU, "boot"), {}),
        ((*QEMU, "migrate..tcp", "--vt-extra-params", "mem=9"), {"vt.qemu": {"disk_bus": "ide"}}),
        ((*QEMU, "--vt-guest-os", "Win2019", "--vt-machine-type", "q35", "whql", "balloon_check"), {}),
    ], 3)


@pytest.mark.soak
def test_the_whole_suite(corpus):
    check(corpus, [(QEMU, {}), ((*QEMU, "--vt-guest-os", "RHEL.9.devel"), {"vt.qemu": {"smp": 4}})], 2)
