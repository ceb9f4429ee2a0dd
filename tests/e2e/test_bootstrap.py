# SPDX-License-Identifier: GPL-2.0-or-later
"""Bootstrap itself: what it says, what it leaves alone, and that being killed or doubled does it no harm.

Guest images are left out here, but for the built one where it is in the cache; downloads have tests of their own.
"""

import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
RUNNER = BUILD / "bin/avocado-runner-vt"
TYPES = ("qemu", "libvirt", "libguestfs", "openvswitch", "v2v", "lvsb", "spice", "virttools")

pytestmark = pytest.mark.skipif(not RUNNER.exists(), reason="needs `make build`")

HEADINGS = [
    "1 - Updating all test providers",
    "2 - Checking the mandatory programs and headers",
    "3 - Checking the recommended programs",
    "4 - Verifying directories",
    "5 - Generating config set",
    "6 - Verifying (and possibly downloading) guest image",
    "7 - Checking for modules kvm",
    "8 - If you wish, you may take a look at the online docs for more info",
]


def start(data, *options, **others):
    return subprocess.Popen(
        [RUNNER, "bootstrap", "--data-dir", data, "--vt-skip-verify-download-assets", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **others)


def bootstrap(data, *options, status=0, **others):
    process = start(data, *options, **others)
    output = process.communicate(timeout=120)[0]
    assert status is None or process.returncode == status, output
    return output


def contents(data):
    """Every file of a data directory that bootstrap makes, by its path there, less the directory's own name."""
    return {
        str(path.relative_to(data)): path.read_bytes().replace(str(data).encode(), b"DATA")
        for path in sorted(data.rglob("*"))
        if path.is_file() and path.name != ".bootstrap.lock"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data directory that was bootstrapped in peace."""
    data = tmp_path_factory.mktemp("whole") / "data"
    bootstrap(data)
    return data


def test_it_says_what_the_users_guide_shows(site):
    """By way of Avocado, every step under its heading, in order, each line with its time and level."""
    done = site.avocado("vt-bootstrap", "--vt-type", "qemu", "--vt-skip-verify-download-assets")
    assert done.returncode == 0, done.output
    lines = done.stdout.splitlines()
    for line in lines:
        assert re.match(r"\d\d:\d\d:\d\d (INFO |DEBUG|WARNING|ERROR)\| ", line), line
    texts = [line.split("| ", 1)[1] for line in lines]
    assert texts[0] == "qemu test config helper"
    places = [next(at for at, text in enumerate(texts) if text.startswith(heading)) for heading in HEADINGS]
    assert places == sorted(places)
    assert all(texts[place - 1] == "" for place in places)
    programs = texts[places[1] : places[2]]
    assert any(text.endswith("/xz OK") for text in programs)
    assert any(re.fullmatch(r"/usr/include/.*asm/unistd\.h OK", text) for text in programs)
    assert any(re.fullmatch(r"/\S*qemu\S* OK", text) for text in programs)
    assert any(re.match(r"\d\d:\d\d:\d\d (DEBUG|INFO )\| Module kvm ", line) for line in lines)
    assert "http://avocado-vt.readthedocs.org/" in texts


def test_the_settings_say_what_the_options_would(site, tmp_path):
    """Upstream's options have defaults that beat the settings."""
    config = tmp_path / "vt.conf"
    config.write_text(f"[vt]\ntype = spice\nguest_os = Fedora.42\n[vt.common]\ndata_dir = {tmp_path}/data\n")
    done = site.avocado("--config", config, "vt-bootstrap", "--vt-skip-verify-download-assets")
    assert done.returncode == 0, done.output
    assert "spice test config helper" in done.stdout and "/xz OK" not in done.stdout
    assert "fedora" in done.stdout.lower().split("6 - ")[1]
    done = site.avocado("--config", config, "vt-bootstrap", "--vt-skip-verify-download-assets", "--vt-type", "v2v")
    assert "v2v test config helper" in done.stdout


def test_another_guest_than_jeos_needs_no_xz(tmp_path):
    assert "/xz" in bootstrap(tmp_path, "--vt-guest-os", "JeOS.27")
    assert "xz" not in bootstrap(tmp_path, "--vt-guest-os", "Fedora.42").split("3 - ")[0].split("2 - ")[1]


def test_what_is_missing_is_named_with_its_package_and_only_qemu_stands_in_the_way(tmp_path):
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    for tool in ("qemu-system-" + os.uname().machine, "qemu-img"):
        (bin_dir / tool).symlink_to(shutil.which(tool))
    environment = {**os.environ, "PATH": str(bin_dir)}
    output = bootstrap(tmp_path / "data", env=environment)
    assert re.search(r"gcc is missing: .* \(package gcc\)", output)
    assert re.search(r"What is missing comes with: (apt-get|dnf|zypper) install .*gcc", output)
    (bin_dir / "qemu-img").unlink()
    output = bootstrap(tmp_path / "data", env=environment, status=1)
    assert "ERROR| qemu-img is missing" in output and "Not ready: qemu-img must be installed" in output
    # All other steps were done: a test can be listed, and run with a QEMU that is named.
    assert "8 - " in output and (tmp_path / "data/backends/qemu/cfg/subtests.cfg").exists()
    # A QEMU that the settings name counts, with what lies beside it.
    beside = tmp_path / "own"
    beside.mkdir()
    for tool in ("qemu-system-" + os.uname().machine, "qemu-img"):
        (beside / tool).symlink_to(shutil.which(tool))
    (bin_dir / ("qemu-system-" + os.uname().machine)).unlink()
    bootstrap(tmp_path / "data", "--vt-qemu-bin", beside / ("qemu-system-" + os.uname().machine), env=environment)


def test_edits_survive_everything_but_update_config(tmp_path):
    bootstrap(tmp_path)
    config = tmp_path / "backends/qemu/cfg"
    pristine = {name: (config / name).read_text() for name in ("base.cfg", "tests-shared.cfg", "tests.cfg")}
    for name, text in pristine.items():
        (config / name).write_text(text + "# mine\n")
    asset = tmp_path / "downloads/jeos-27-x86_64.ini"
    asset.write_text("[jeos-27-x86_64]\nurl = http://127.0.0.1/mine\ndestination = images/mine\n")
    provider = tmp_path / "virttest/test-providers.d/io-github-autotest-qemu.ini"
    provider.write_text("[provider]\nuri: file:///nowhere\n[qemu]\nsubdir: qemu/\n")
    for options in ([], ["--yes-to-all"], ["--vt-type", "spice"]):
        output = bootstrap(tmp_path, *options)
        assert all((config / name).read_text() == text + "# mine\n" for name, text in pristine.items())
        assert "mine" in asset.read_text() and "nowhere" in provider.read_text()
    output = bootstrap(tmp_path)
    assert all(str(config / name) in output for name in pristine)
    assert "+# mine" in output and "--- the new default" in output
    assert len(output.splitlines()) < 200
    bootstrap(tmp_path, "--vt-update-config")
    assert all((config / name).read_text() == text for name, text in pristine.items())
    assert not re.search(r"backends\S* differs", bootstrap(tmp_path))


def test_generated_files_are_made_anew_and_others_come_back(tmp_path):
    bootstrap(tmp_path)
    before = contents(tmp_path)
    config = tmp_path / "backends/qemu/cfg"
    (config / "subtests.cfg").write_text("variants subtest:\n    - mine:\n")
    (config / "guest-os.cfg").write_text("")
    (config / "host.cfg").unlink()
    (config / "base.cfg").unlink()
    (tmp_path / "avocado-runner-vt.json").write_text("no JSON")
    (config / "base.cfg.Xa9Zzz").write_text("half of it")
    (config / "base.cfg.mine").write_text("a user's")
    bootstrap(tmp_path)
    assert (config / "base.cfg.mine").read_text() == "a user's"
    (config / "base.cfg.mine").unlink()
    assert contents(tmp_path) == before


def test_with_nothing_to_do_it_writes_nothing_but_its_notes(whole):
    def times():
        return {path: path.stat().st_mtime_ns for path in whole.rglob("*")
                if path.is_file() and path.name not in ("avocado-runner-vt.json", ".bootstrap.lock")}

    before = times()
    bootstrap(whole)
    assert times() == before


def test_a_link_of_the_users_is_not_replaced(tmp_path):
    bootstrap(tmp_path / "data")
    base = tmp_path / "data/backends/qemu/cfg/base.cfg"
    mine = tmp_path / "mine.cfg"
    mine.write_text(base.read_text() + "# mine\n")
    base.unlink()
    base.symlink_to(mine)
    bootstrap(tmp_path / "data")
    assert base.is_symlink() and mine.read_text().endswith("# mine\n")


def kill_when(process, condition):
    """SIGKILL as soon as the condition holds, or the process has ended."""
    end = time.monotonic() + 30
    while process.poll() is None and not condition() and time.monotonic() < end:
        pass
    process.kill()
    process.communicate()


def test_killed_at_any_point_and_run_again_it_gives_what_it_gives_in_peace(tmp_path, whole):
    wanted = contents(whole)
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    killed = 0
    for number in range(16):
        data = tmp_path / f"data{number}"
        config = data / "backends/qemu/cfg"
        if number < 8:
            count = (1, 3, 6, 9, 11, 12, 13, 14)[number]
            process = start(data)
            kill_when(process, lambda: config.is_dir() and len(list(config.iterdir())) >= count)  # noqa: B023
        else:
            moment = time.monotonic() + moments.uniform(0, 0.12)
            process = start(data)
            kill_when(process, lambda: time.monotonic() > moment)  # noqa: B023
        killed += process.returncode != 0
        bootstrap(data)
        assert contents(data) == wanted, f"kill {number} of seed {seed}"
    assert killed >= 4, f"only {killed} of the runs were killed before their end"


def test_killed_during_an_import_the_old_or_the_new_is_there_whole(tmp_path):
    package = tmp_path / "site/virttest/shared"
    for guest in range(300):
        folder = package / f"cfg/guest-os/Linux/Imported{guest % 20}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{guest}.cfg").write_text(f"- {guest}:\n    image_name = images/{guest}\n")
    data = tmp_path / "data"
    bootstrap(data)
    for number in range(6):
        process = start(data, "--vt-import-config", tmp_path / "site")
        moment = time.monotonic() + random.uniform(0, 0.1)
        kill_when(process, lambda: time.monotonic() > moment)  # noqa: B023
    bootstrap(data)
    bootstrap(data, "--vt-import-config", tmp_path / "site")
    assert len(list((data / "imported").rglob("*.cfg"))) == 300
    assert not list(data.glob("importing-*")), "a killed import left its files"


def test_several_at_once(tmp_path, whole):
    runs = [start(tmp_path / "same") for _ in range(4)]
    runs += [start(tmp_path / "types", "--vt-type", name) for name in ("qemu", "spice", "v2v", "openvswitch")]
    for run in runs:
        output = run.communicate(timeout=120)[0]
        assert run.returncode == 0, output
    assert contents(tmp_path / "same") == contents(whole)
    for name in ("qemu", "spice", "v2v", "openvswitch"):
        assert (tmp_path / "types/backends" / name / "cfg/subtests.cfg").exists()
    notes = json.loads((tmp_path / "types/avocado-runner-vt.json").read_text())
    assert {path.split("/")[1] for path in notes["installed"] if path.startswith("backends/")} == set(TYPES)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_has_a_set_that_resolves(tmp_path, name):
    # The programs of some types are on no host; what matters here is that it goes on.
    output = bootstrap(tmp_path, "--vt-type", name, status=None)
    assert "8 - " in output
    shown = subprocess.run([RUNNER, "list", "--data-dir", tmp_path, "--vt-type", name, "--vt-guest-os",
                            "" if name == "lvsb" else "JeOS.27"],
                           capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    # The shipped tests, for every type but lvsb, which takes only tests of its own.
    assert ("uptime" in shown.stdout) == (name != "lvsb"), shown.stdout


def test_what_cannot_be_is_refused_before_anything_is_made(tmp_path):
    data = tmp_path / "data"
    assert "possible are qemu, libvirt" in bootstrap(data, "--vt-type", "xen", status=1)
    assert "not supported" in bootstrap(data, "--vt-cluster-config", "cluster.json", status=1)
    assert not data.exists()
    assert "There is no guest 'Amiga'" in bootstrap(data, "--vt-guest-os", "Amiga", status=1)
    assert "cannot be the name of a variant" in bootstrap(data, "--vt-host-distro-version", "a: b", status=1)
    assert "has no guest definitions" in bootstrap(data, "--vt-import-config", tmp_path, status=1)
    broken = tmp_path / "broken.whl"
    broken.write_bytes(b"PK\3\4 no wheel")
    assert "broken.whl" in bootstrap(data, "--vt-import-config", broken, status=1)
    bootstrap(data)


def test_host_cfg_says_what_it_is_told(tmp_path):
    bootstrap(tmp_path, "--vt-host-distro-name", "RHEL", "--vt-host-distro-version", "m9",
              "--vt-host-distro-release", "u4", "--vt-host-distro-arch", "Host_arch_s390x")
    host = (tmp_path / "backends/qemu/cfg/host.cfg").read_text()
    assert [name for name in ("@RHEL:", "@m9:", "@u4:", "@Host_arch_s390x:") if name not in host] == []
    bootstrap(tmp_path)
    assert "@Host_arch_s390x" not in (tmp_path / "backends/qemu/cfg/host.cfg").read_text()


def guests(data, *options, command="guests"):
    """Names of the guests that are listed, with what is said of their images."""
    shown = subprocess.run([RUNNER, command, "--data-dir", data, "--vt-type", "qemu", *options],
                           capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^(Guest\.\S+)(?: \((missing .*)\))?$", shown, re.M))


def test_every_guest_that_is_promised_is_there(whole):
    # Windows 11 has no drivers for the older machine type, upstream neither.
    x86 = guests(whole) | guests(whole, "--vt-machine-type", "q35")
    names = "\n".join(x86)
    for system in ("JeOS.27.x86_64", "JeOS.mini.x86_64", "Fedora.41.x86_64", "Fedora.42.x86_64", "CentOS-Stream.8.devel.x86_64",
                   "CentOS-Stream.9.devel.x86_64", "CentOS-Stream.10.devel.x86_64", "RHEL.7.9.x86_64",
                   "RHEL.8.devel.x86_64", "RHEL.9.devel.x86_64", "RHEL.10.devel.x86_64", "Debian.11.x86_64",
                   "Debian.12.x86_64", "Debian.13.x86_64", "Ubuntu.20.04.x86_64", "Ubuntu.22.04.x86_64",
                   "Ubuntu.24.04.x86_64", "OpenSUSE.15.6.x86_64", "OpenSUSE.Tumbleweed.x86_64", "SLES.15.6.x86_64",
                   "SLES.16.0.x86_64", "Win10.i386", "Win10.x86_64", "Win11.x86_64", "Win2016.x86_64",
                   "Win2019.x86_64", "Win2022.x86_64", "Win2025.x86_64"):
        assert system in names, f"{system} is in none of\n{names}"
    assert all(said.startswith("missing ") for said in x86.values())


@pytest.mark.parametrize("guest, machine", [
    ("JeOS.27.aarch64", "arm64-pci"), ("JeOS.27.ppc64le", "pseries"), ("JeOS.27.ppc64", "pseries"),
    ("JeOS.27.s390x", "s390-virtio"), ("Fedora.42.aarch64", "arm64-pci"), ("RHEL.9.devel.s390x", "s390-virtio"),
    ("RHEL.10.devel.aarch64", "arm64-pci"), ("CentOS-Stream.9.devel.ppc64le", "pseries"),
    ("SLES.16.0.ppc64le", "pseries"), ("Debian.12.aarch64", "arm64-pci"), ("Ubuntu.24.04.ppc64le", "pseries"),
    ("Debian.12.x86_64", "q35"), ("Win2025.x86_64", "q35")])
def test_a_guest_of_each_architecture_and_machine_type(whole, guest, machine):
    arch = guest.rsplit(".", 1)[1]
    found = guests(whole, "--vt-guest-os", guest, "--vt-arch", arch, "--vt-machine-type", machine)
    assert any(guest in name for name in found), found


# The two examples of the user's guide, whole.
FOO_LINUX = """- FooLinux:
    image_name = images/foo-linux
    # shell_prompt is a regexp used to match the prompt on aexpect.
    shell_prompt = [*]$
    image_raw_device = yes
    password = 123456
    shell_client = ssh
    shell_port = 22
    file_transfer_client = scp
    file_transfer_port = 22
"""
FOO_WINDOWS = """- FooWindows:
    image_name = images/foo-windows
    image_raw_device = yes
    username = Administrator
    password = 1q2w3eP
"""


@pytest.mark.parametrize("place", ["guest-os", "shared/cfg/guest-os"])
def test_a_users_own_guests_with_every_parameter_of_the_guide(tmp_path, place):
    for folder, name, text in (("Linux/LinuxCustom", "FooLinux", FOO_LINUX), ("Windows/WindowsCustom", "FooWindows", FOO_WINDOWS)):
        target = tmp_path / place / folder
        target.mkdir(parents=True)
        (target / "foo.cfg").write_text(text)
    bootstrap(tmp_path)
    found = guests(tmp_path)
    assert found["Guest.Linux.LinuxCustom.FooLinux"] == "missing foo-linux"
    assert found["Guest.Windows.WindowsCustom.FooWindows"] == "missing foo-windows"
    (tmp_path / "images/foo-linux").touch()
    assert guests(tmp_path)["Guest.Linux.LinuxCustom.FooLinux"] == ""
    for guest, wanted in (
        ("LinuxCustom.FooLinux", {"shell_prompt": "[*]$", "image_raw_device": "yes", "password": "123456",
                                  "shell_client": "ssh", "shell_port": "22", "file_transfer_client": "scp",
                                  "file_transfer_port": "22", "image_name": "images/foo-linux", "username": "root"}),
        ("WindowsCustom.FooWindows", {"image_raw_device": "yes", "username": "Administrator", "password": "1q2w3eP",
                                      "image_name": "images/foo-windows", "os_type": "windows"})):
        config = tmp_path / "backends/qemu/cfg/tests-shared.cfg"
        expanded = subprocess.run(
            [RUNNER, "cfg", config, "--format", "jsonl", "--only", guest, "--only", "i440fx", "--only",
             "smp2..qcow2..virtio_net..virtio_blk..smallpages", "--only", "uptime"],
            capture_output=True, text=True, check=True).stdout
        parameters = json.loads(expanded.splitlines()[0])
        assert {key: parameters.get(key) for key in wanted} == wanted
    # Two lines are enough, and a broken neighbour costs only itself.
    (tmp_path / place / "Linux/LinuxCustom/foo.cfg").write_text("- FooLinux:\n    image_name = images/foo-linux\n")
    (tmp_path / place / "Linux/LinuxCustom/bar.cfg").write_text("Bar:\n    image_name = images/bar\n")
    assert "bar.cfg: expected '- NAME:'" in bootstrap(tmp_path)
    assert guests(tmp_path)["Guest.Linux.LinuxCustom.FooLinux"] == "missing foo-linux.qcow2"
