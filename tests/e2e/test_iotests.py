# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's block tests under us: the command, Avocado, verdicts, leftovers, bad input; a sample of QEMU's own scripts.

Environment: QEMU_IOTESTS (a folder tests/qemu-iotests of QEMU's sources; default: what tools/iotests.sh fetched into
build/iotests; it is fetched if it is not there, and what needs it is skipped where apt cannot serve sources).
"""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import textwrap

import pytest

from jobs import BUILD, ROOT, VENV, Site, command_line

RUNNER = BUILD / "bin/avocado-runner-vt"
OURS = BUILD / "lib/avocado-runner-vt/python"
# Quick ones, of every style: unittest, script, with and without a machine, bash, a format of its own.
SAMPLE = """056 057 065 096 132 139 152 165 202 203 208 209 216 224 228 234 236 238 240 248 254 255 256 262
    migration-permissions""".split()
TIMEOUT = 600

pytestmark = pytest.mark.skipif(
    not RUNNER.exists() or not all(shutil.which(tool) for tool in ("qemu-img", "qemu-io", "qemu-system-x86_64")),
    reason="the runner or QEMU's tools are missing",
)


@pytest.fixture(scope="session")
def suite():
    """QEMU's own tests."""
    given = os.environ.get("QEMU_IOTESTS")
    folder = pathlib.Path(given) if given else ROOT / "build/iotests/tests/qemu-iotests"
    if not (folder / "common.rc").exists():
        done = subprocess.run([ROOT / "tools/iotests.sh"], capture_output=True, text=True, timeout=TIMEOUT)
        if done.returncode == 77:
            pytest.skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, done.stderr
    return folder


class Folder:
    """Block tests written here."""

    def __init__(self, root):
        self.root = root

    def script(self, name, body, expected="", python=True, head=""):
        path = self.root / name
        first = "#!/usr/bin/env python3\n" if python else "#!/usr/bin/env bash\n"
        path.write_text(first + head + ("import iotests\n" if python else ". ./common.rc\n") + textwrap.dedent(body))
        path.chmod(0o755)
        if expected is not None:
            (self.root / f"{name}.out").write_text(expected)
        return path

    def run(self, *words, env=None, **kwargs):
        return subprocess.run(
            [RUNNER, "iotests", *words],
            cwd=self.root,
            env={**os.environ, "TMPDIR": str(self.root / "tmp"), **(env or {})},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            **kwargs,
        )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tmp").mkdir()
    (tmp_path / "common.rc").write_text("# nothing\n")
    return Folder(tmp_path)


def verdicts(output):
    """Verdict and the rest of its line, by name."""
    lines = re.findall(r"^(\S+) +(pass|fail|not run|error) +\[\S+\] \[\S+\] +\S+ ?(.*)$", output, re.MULTILINE)
    return {name: (verdict, rest) for name, verdict, rest in lines}


def marked(text):
    """Processes whose command line has this text."""
    found = []
    for directory in pathlib.Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                line = (directory / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line:
                found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_verdicts(folder):
    folder.script("good", "iotests.script_initialize()\niotests.log('hello')\n", "hello  \n")
    folder.script("differs", "iotests.script_initialize()\niotests.log('one')\niotests.log('two')\n", "one\nthree\n")
    folder.script("raises", "raise RuntimeError('it went wrong')\n")
    folder.script("elsewhere", "iotests.script_initialize(supported_fmts=['vdi'])\n")
    folder.script("expectless", "pass\n", expected=None)
    folder.script("partly", "iotests.case_notrun('no such thing')\n")
    folder.script("shell", "echo hello\n", "hello\n", python=False)
    folder.script("shell-not-run", 'echo "no reason" > "$TEST_DIR/shell-not-run.notrun"\n', python=False)
    done = folder.run("-qcow2", "-j", "2")
    found = verdicts(done.stdout)
    assert done.returncode == 1, done.stderr
    assert found["good"] == ("pass", "") and found["shell"] == ("pass", "")
    assert found["differs"] == ("fail", "output mismatch")
    assert "-three\n+two\n" in done.stdout
    assert found["raises"] == ("fail", "failed, exit status 1; RuntimeError: it went wrong")
    assert found["elsewhere"] == ("not run", "not suitable for this image format: qcow2")
    assert found["expectless"] == ("not run", f"No qualified output (expected {folder.root}/expectless.out)")
    assert found["partly"] == ("pass", "") and "[case not run] no such thing" in done.stdout
    assert found["shell-not-run"] == ("not run", "no reason")
    assert "Failures: differs raises\n" in done.stdout and "Failed 2 of 5 iotests" in done.stdout
    kept = folder.root / "scratch"
    assert (kept / "differs.out.bad").read_text() == "one\ntwo\n"
    assert not (kept / "good.out.bad").exists()
    assert not list((folder.root / "tmp").iterdir())


def test_words_of_check(folder):
    folder.script("a", "pass\n", head="# group: rw quick\n")
    folder.script("b", "pass\n", head="# group: rw\n")
    folder.script("c", "print(iotests.cachemode, iotests.aiomode, iotests.imgfmt, iotests.imgproto)\n", "none native raw nbd\n")
    assert folder.run("-n").stdout.split() == ["a", "b", "c"]
    assert folder.run("-n", "-g", "rw", "-x", "quick").stdout.split() == ["b"]
    assert folder.run("-n", "--start-from", "b").stdout.split() == ["b", "c"]
    done = folder.run("-raw", "-nbd", "-nocache", "-i", "native", "-tap", "c")
    assert done.returncode == 0 and "ok raw c" in done.stdout, done.stdout
    assert folder.run("-nocache", "-i", "native", "-nbd", "--", "sh", "-c", "echo $CACHEMODE $IMGPROTO").stdout == "none nbd\n"
    for words, complaint in (
        (("-nonsense",), "unknown option -nonsense"),
        (("-j", "none", "a"), '-j wants a number above 0, not "none"'),
        (("none",), "there is no block test none"),
        (("-g", "none"), "no block test is selected"),
        (("-gdb", "-valgrind", "a"), "exclude each other"),
        (("--iotests-api", "5", "a"), '--iotests-api should be one of'),
    ):
        done = folder.run(*words)
        assert (done.returncode, complaint in done.stderr) == (2, True), done.stderr


def has_qtest():
    """Asked of QEMU by a start: the list of "-accel help" leaves this one out."""
    words = ["qemu-system-x86_64", "-accel", "qtest", "-machine", "none", "-display", "none", "-monitor", "stdio"]
    return subprocess.run(words, input="quit\n", capture_output=True, text=True, timeout=60).returncode == 0


def test_what_drives_the_clock_needs_qtest(folder):
    """With a QEMU that has the accelerator it runs; else it is not run, and says why."""
    folder.script("clock", "vm = iotests.VM()\nvm.launch()\nprint(vm.qtest('clock_step 1').split()[0])\nvm.shutdown()\n", "OK\n")
    folder.script("still", "vm = iotests.VM()\nvm.launch()\nprint(vm.qmp('query-status')['return']['status'])\nvm.shutdown()\n",
                  "running\n")
    done = folder.run("clock", "still")
    lacking = ("not run", 'this QEMU has no qtest accelerator, which "clock_step" needs')
    assert verdicts(done.stdout) == {"clock": ("pass", "") if has_qtest() else lacking, "still": ("pass", "")}, done.stdout
    assert ("(it has no qtest accelerator" in done.stdout) != has_qtest()


def test_what_is_left_running_is_named_and_ends(folder):
    mark = f"left-{os.getpid()}"
    folder.script("vm", f"vm = iotests.VM()\nvm.add_args('-name', '{mark}')\nvm.launch()\n")
    folder.script("sleeper", "import subprocess\nsubprocess.Popen(['sleep', '998'], start_new_session=True)\n")
    folder.script(
        "daemons",
        """
        import subprocess
        img = iotests.file_path('img')
        iotests.qemu_img_create('-f', iotests.imgfmt, img, '1M')
        iotests.qemu_nbd('-k', iotests.sock_dir + '/nbd', '-f', iotests.imgfmt, img)
        subprocess.run([iotests.qsd_prog, '--daemonize', '--pidfile', iotests.test_dir + '/pid'], check=True)
        """,
    )
    done = folder.run("vm", "sleeper", "daemons")
    assert done.returncode == 0, done.stdout
    for name in ("qemu-nbd", "qemu-storage-daemon"):
        assert re.search(rf"left running, killed: {name} \(process \d+\)", done.stdout), done.stdout
    assert re.search(r"left running, killed: qemu-system-x86_64 \(process \d+\)", done.stdout)
    pid = re.search(r"left running, killed: sleep \(process (\d+)\)", done.stdout).group(1)
    assert not marked(mark) and not command_line(int(pid))


def test_a_script_that_hangs(folder):
    folder.script(
        "hang",
        """
        import signal
        vm = iotests.VM()
        vm.launch()
        vm.qmp('query-kvm')
        signal.pause()
        """,
    )
    done = folder.run("--timeout", "8", "hang")
    verdict, reason = verdicts(done.stdout)["hang"]
    assert verdict == "error" and reason.startswith("it did not end within 8 s; the last of QMP: ")
    assert "query-kvm" in reason
    assert any(name.name.startswith("hang.qemu-") for name in (folder.root / "scratch").iterdir())


def test_bad_places_and_programs(folder):
    folder.script("plain", "pass\n")
    folder.script("nbd", "iotests.qemu_nbd('-k', 'x', 'y')\n")
    folder.script("full", "iotests.create_image(iotests.test_dir + '/big', 64 << 20)\n")
    blanks = folder.root / "with blanks"
    blanks.mkdir()
    done = folder.run("plain", env={"TEST_DIR": str(blanks)})
    assert "the scripts split commands at blanks" in verdicts(done.stdout)["plain"][1]
    done = folder.run("plain", env={"TEST_DIR": "/proc/none"})
    assert verdicts(done.stdout)["plain"][0] == "error" and "/proc/none" in done.stdout
    few = folder.root / "qemu-img"
    few.write_text("#!/bin/sh\necho 'Supported formats: raw qcow2'\n")
    few.chmod(0o755)
    done = folder.run("-qed", "plain", env={"QEMU_IMG_PROG": str(few)})
    assert verdicts(done.stdout)["plain"] == ("not run", f"{few} has no image format qed; it has raw, qcow2")
    done = folder.run("plain", env={"QEMU_IMG_PROG": "/nowhere/qemu-img"})
    assert done.returncode == 2 and "/nowhere/qemu-img is not an executable program" in done.stderr
    # A PATH with all but qemu-nbd.
    programs = folder.root / "bin"
    programs.mkdir()
    for name in ("qemu-system-x86_64", "qemu-img", "qemu-io", "python3", "env", "bash", "sh"):
        (programs / name).symlink_to(shutil.which(name))
    done = folder.run("nbd", env={"PATH": str(programs)})
    assert verdicts(done.stdout)["nbd"] == ("not run", "there is no qemu-nbd here (Debian: qemu-utils)")


@pytest.mark.parametrize(
    "option, verdict, said",
    [("size=4m", "fail", "no space was left in TEST_DIR"), ("ro", "error", "Read-only file system")],
)
def test_a_disk_that_is_full_or_read_only(folder, option, verdict, said):
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    folder.script("full", "iotests.create_image(iotests.test_dir + '/big', 64 << 20)\n")
    small = folder.root / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", option, "none", small], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        done = folder.run("full", env={"TEST_DIR": str(small)})
    finally:
        subprocess.run(["umount", small], check=True)
    found, reason = verdicts(done.stdout)["full"]
    assert found == verdict and said in reason, reason


def test_a_tool_that_crashes(folder):
    crash = folder.root / "qemu-io"
    crash.write_text('#!/bin/sh\nkill -SEGV $$\n')
    crash.chmod(0o755)
    folder.script("new", "iotests.qemu_io('-c', 'read 0 1', 'x', check=False)\n")
    folder.script("old", "print(iotests.qemu_io_silent('-c', 'read 0 1', 'x'))\n", "")
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    done = folder.run("new", "old", env={"QEMU_IO_PROG": str(crash)})
    found = verdicts(done.stdout)
    if hard and pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip() == "core":
        kept = sorted(path.name.partition(".")[0] for path in (folder.root / "scratch").glob("*.core*"))
        assert kept == ["new", "old"] and done.stdout.count("a program crashed; its core is ") == 2, done.stdout
    assert not list(folder.root.glob("core*[0-9]")) and not (folder.root / "core").exists()
    assert "died with SIGSEGV" in found["new"][1], found
    assert found["old"][0] == "fail" and "received signal 11" in done.stdout


def test_the_module_at_both_levels(folder):
    folder.script(
        "old",
        """
        img = iotests.file_path('a')
        assert iotests.qemu_img('create', '-f', iotests.imgfmt, img, '1M') == 0
        assert iotests.qemu_img('info', img + '-none') == 1
        assert 'wrote' in iotests.qemu_io('-c', 'write 0 64k', img)
        assert iotests.qemu_img_pipe('info', img).startswith('image: ')
        """,
    )
    folder.script(
        "new",
        """
        from subprocess import CalledProcessError
        img = iotests.file_path('a')
        assert iotests.qemu_img('create', '-f', iotests.imgfmt, img, '1M').returncode == 0
        try:
            iotests.qemu_img('info', img + '-none')
        except CalledProcessError as error:
            assert error.returncode == 1 and 'No such file' in error.stdout
        else:
            raise SystemExit('nothing was raised')
        assert iotests.qemu_img('info', img + '-none', check=False).returncode == 1
        assert 'wrote' in iotests.qemu_io('-c', 'write 0 64k', img).stdout
        """,
    )
    folder.script("told", "assert iotests.qemu_img('info', 'none').returncode\n")
    done = folder.run("-qcow2", "old", "new")
    assert verdicts(done.stdout) == {"old": ("pass", ""), "new": ("pass", "")}, done.stdout
    assert verdicts(folder.run("told").stdout)["told"][0] == "fail"
    assert verdicts(folder.run("--iotests-api", "6.1", "told").stdout)["told"][0] == "pass"


def test_the_folders_own_module_only_if_asked_for(folder):
    (folder.root / "iotests.py").write_text("print('theirs')\n")
    folder.script("which", "print(hasattr(iotests, 'VM'))\n", "True\n")
    assert verdicts(folder.run("which").stdout)["which"][0] == "pass"
    (folder.root / "which.out").write_text("theirs\nFalse\n")
    assert verdicts(folder.run("--iotests-module", "theirs", "which").stdout)["which"][0] == "pass"


def test_a_killed_command_leaves_nothing(folder):
    mark = f"killed-{os.getpid()}"
    folder.script(
        "hang",
        f"""
        import signal
        vm = iotests.VM()
        vm.add_args('-name', '{mark}')
        vm.launch()
        open('{folder.root}/there', 'w').close()
        signal.pause()
        """,
    )
    os.mkfifo(folder.root / "there")
    with subprocess.Popen([RUNNER, "iotests", "hang"], cwd=folder.root, env={**os.environ, "TMPDIR": str(folder.root / "tmp")},
                          stdout=subprocess.DEVNULL) as running:
        open(folder.root / "there").close()  # until the script is there
        assert marked(mark)
        sweepers = [int(pid) for pid in pathlib.Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()]
        watched = [os.pidfd_open(pid) for pid in sweepers]
        running.kill()
    for ended in watched:
        import select
        select.select([ended], [], [], 30)
        os.close(ended)
    assert not marked(mark)
    assert not list((folder.root / "tmp").iterdir())


needs_avocado = pytest.mark.skipif(not (VENV / "bin/avocado").exists(), reason="Avocado is missing")


@needs_avocado
def test_under_avocado():
    world = Site()
    try:
        scripts = Folder(world.root / "folder")
        scripts.root.mkdir()
        (scripts.root / "common.rc").write_text("# nothing\n")
        scripts.script("good", "class Case(iotests.QMPTestCase):\n    def test_it(self):\n        pass\niotests.main()\n",
                       f".\n{'-' * 70}\nRan 1 tests\n\nOK\n", head="# group: rw quick\n")
        scripts.script("differs", "print('one')\n", "two\n")
        scripts.script("elsewhere", "iotests.script_initialize(unsupported_fmts=['qcow2'])\n")
        (scripts.root / "other").write_text("#!/bin/bash\nexit 0\n")
        (scripts.root / "other").chmod(0o755)
        listed = world.avocado("list", "folder")
        assert sorted(re.findall(r"vt-iotest +(\S+)", listed.stdout)) == ["folder/differs", "folder/elsewhere", "folder/good"]
        quick = world.avocado("list", "folder", "--filter-by-tags", "quick")
        assert re.findall(r"vt-iotest +(\S+)", quick.stdout) == ["folder/good"], quick.output
        job = world.run("folder/good", "folder/differs", "folder/elsewhere", options=("--iotests-format", "qcow2"), parallel=2)
        good, differs, elsewhere = (job.test(f"folder/{name}") for name in ("good", "differs", "elsewhere"))
        assert good.status == "PASS", job.output
        assert differs.status == "FAIL" and differs.reason == "output mismatch"
        assert elsewhere.status == "SKIP" and elsewhere.reason == "not suitable for this image format: qcow2"
        assert "-two" in differs.log and "+one" in differs.log
        assert "test_it (__main__.Case.test_it): ok" in good.log
    finally:
        world.remove()


@needs_avocado
def test_native_block_tests(site):
    """The mirror with its power cut, the bitmap over backups, the commit of a chain; and a format they cannot have."""
    names = ("block_mirror_native", "block_bitmap_native", "block_commit_native")
    job = site.run(*names, parallel=2)
    assert {test.name.rpartition(".")[2]: (test.status, test.reason) for test in job.tests} == {name: ("PASS", "") for name in names}, job.output
    lacking = site.run("block_commit_native", params=["block_format=nonsense"]).only
    assert lacking.status == "CANCEL" and "has no image format nonsense" in lacking.reason


def test_without_a_runner_around_it():
    done = subprocess.run(["/usr/bin/python3", "-c", "import iotests"], env={"PATH": os.environ["PATH"], "PYTHONPATH": str(OURS)},
                          capture_output=True, text=True)
    assert done.returncode == os.EX_USAGE and "Please run this test via the" in done.stderr


def test_a_sample_of_qemus_own_scripts(suite):
    """25 of QEMU's scripts with the QEMU of this host: all that can be are run, and pass."""
    done = subprocess.run([RUNNER, "iotests", "-qcow2", "-j", "2", "--results", "/dev/null", "--source", suite, *SAMPLE],
                          capture_output=True, text=True, timeout=TIMEOUT)
    found = verdicts(done.stdout)
    assert sorted(found) == sorted(SAMPLE), done.stdout + done.stderr
    assert {name: one for name, one in found.items() if one[0] not in ("pass", "not run")} == {}, done.stdout
    assert [name for name, one in found.items() if one[0] == "not run"] == ["migration-permissions"], done.stdout
