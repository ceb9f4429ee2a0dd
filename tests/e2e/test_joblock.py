# SPDX-License-Identifier: GPL-2.0-or-later
"""The job lock: Avocado-VT's files in Avocado-VT's directory, shared by our jobs, respected between them and Avocado-VT's."""

import contextlib
import os
import re
import subprocess

import pytest
from jobs import ROOT, wait_until

PEER = ROOT / "build/peer/bin/python3"
NAME = re.compile(r"avocado-vt-joblock-[0-9a-f]{40}-[0-9]+-[0-9a-z]{8}\.pid")
THEIRS = "avocado-vt-joblock-" + "b" * 40 + "-0-x1y2z3a4.pid"


@pytest.fixture
def locks(tmp_path):
    path = tmp_path / "locks"
    path.mkdir()
    return path


def configured(locks, text=""):
    path = locks.parent / "locks.conf"
    path.write_text(f"[plugins.vtjoblock]\ndir = {locks}\n{text}")
    return ["--config", str(path)]


def files(locks):
    return [path for path in locks.iterdir() if NAME.fullmatch(path.name)]


@contextlib.contextmanager
def holding(site, locks, go, reference="deps.leads"):
    """A job of ours whose test runs until the file `go` is there."""
    told = site.root / "leads.json"
    told.unlink(missing_ok=True)
    job = site.start(*configured(locks), "run", "--vt-type", "qemu", "--vt-extra-params", f"until={go}", "--", reference)
    try:
        wait_until("the test holds", told.exists, 60)
        yield job
        go.touch()
        assert job.wait(60) == 0, job.communicate()
    finally:
        if job.poll() is None:
            job.kill()
        job.communicate()


def run(site, locks, reference="raises.passes"):
    return site.avocado(*configured(locks), "run", "--vt-type", "qemu", "--", reference)


def test_plugin_and_setting(site, tmp_path):
    """As the user's guide shows them."""
    plugins = site.avocado("plugins").stdout
    section = plugins[plugins.index("Plugins that run before/after the execution of jobs") :].split("\n\n")[0]
    assert re.search(r"^vt-joblock +Avocado-VT Job Lock/Unlock$", section, re.MULTILINE), plugins
    home = tmp_path / "home"
    (home / ".config/avocado").mkdir(parents=True)
    config = site.avocado("config", environment={"HOME": str(home)}).stdout
    assert re.search(r"^ *plugins\.vtjoblock\.dir +/tmp$", config, re.MULTILINE), config
    assert re.search(r"^ *run\.max_parallel_tasks +1$", config, re.MULTILINE), config
    lockdir = home / "lockdir"
    (home / ".config/avocado/avocado.conf").write_text(f"[plugins.vtjoblock]\ndir={lockdir}\n")
    config = site.avocado("config", environment={"HOME": str(home)}).stdout
    assert re.search(rf"^ *plugins\.vtjoblock\.dir +{lockdir}$", config, re.MULTILINE), config


def test_held_while_the_job_runs_and_shared_by_ours(site, locks):
    go = locks.parent / "go"
    with holding(site, locks, go) as job:
        (file,) = files(locks)
        assert file.read_text() == str(job.pid)
        assert f"-{os.getuid()}-" in file.name
        other = run(site, locks)
        assert other.returncode == 0, other.output
        assert files(locks) == [file]
    assert list(locks.iterdir()) == []


def test_refused_while_a_job_of_avocado_vt_runs(site, locks):
    theirs = subprocess.Popen(["sleep", "1000"])
    try:
        (locks / THEIRS).write_text(str(theirs.pid))
        job = run(site, locks)
        assert job.returncode == 2, job.output
        words = " ".join(job.output.split())
        assert re.search(rf"the job lock in {locks} is held by job b{{40}} of Avocado-VT, pid {theirs.pid} of user", words)
        assert "sleep 1000" in words and THEIRS in words, words
        assert "PASS" not in words and "Traceback" not in words
        # A job without VM tests is none of its business.
        assert site.avocado(*configured(locks), "run", "/bin/true").returncode == 0
    finally:
        theirs.kill()
        theirs.wait()
    # It is gone, its file is not: the next job removes it.
    assert run(site, locks).returncode == 0
    assert list(locks.iterdir()) == []


def test_a_number_that_was_given_out_again(site, locks):
    """Our own process is younger than the file that names it."""
    (locks / THEIRS).write_text(str(os.getpid()))
    os.utime(locks / THEIRS, (1, 1))
    assert run(site, locks).returncode == 0
    assert list(locks.iterdir()) == []


def test_the_next_job_clears_up_after_a_killed_one(site, locks):
    go = locks.parent / "go"
    with pytest.raises(AssertionError), holding(site, locks, go) as job:
        job.kill()
        job.wait()
        assert len(files(locks)) == 1
    assert site.no_process_within(2) < 2
    assert run(site, locks).returncode == 0
    assert list(locks.iterdir()) == []


def test_others_nonsense_is_named_and_blocks_nobody(site, locks):
    (locks / THEIRS).touch()
    job = run(site, locks)
    assert job.returncode == 0, job.output
    assert re.search(rf"Job lock: {locks / THEIRS} of user .* holds no process number", " ".join(job.output.split()))


@pytest.mark.parametrize("case", ["missing", "read-only"])
def test_a_directory_that_will_not_do(site, locks, case):
    if case == "missing":
        locks.rmdir()
    else:
        locks.rmdir()
        locks.symlink_to("/proc")
    job = run(site, locks)
    assert job.returncode == 2, job.output
    assert "plugins.vtjoblock.dir" in job.output and str(locks) in job.output
    assert "Traceback" not in job.output


def test_jobs_with_directories_of_their_own(site, locks):
    """As the user's guide has it for several users."""
    mine = locks.parent / "mine"
    mine.mkdir()
    theirs = subprocess.Popen(["sleep", "1000"])
    try:
        (locks / THEIRS).write_text(str(theirs.pid))
        assert run(site, mine).returncode == 0
    finally:
        theirs.kill()
        theirs.wait()


def test_avocado_vt_sees_ours(site, locks, tmp_path):
    """Upstream's own plugin, called as its job would call it, refuses beside a job of ours."""
    assert PEER.exists(), "tools/peer.sh makes it"
    program = tmp_path / "peer.py"
    program.write_text(
        "import sys, types\n"
        "from avocado_vt.plugins import vt_joblock\n"
        "lock = vt_joblock.VTJobLock()\n"
        f"lock.lock_dir = {str(locks)!r}\n"
        "try:\n"
        "    lock._lock(types.SimpleNamespace(unique_id='c' * 40))\n"
        "except Exception as error:\n"
        "    sys.exit(f'{type(error).__name__}: {error}')\n"
    )
    home = tmp_path / "home"
    home.mkdir()

    def peer():
        return subprocess.run(
            [str(PEER), str(program)], env={"HOME": str(home), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            capture_output=True, text=True, check=False,
        )

    go = locks.parent / "go"
    with holding(site, locks, go) as job:
        done = peer()
        assert done.returncode == 1, done.stderr
        assert re.search(f"OtherProcessHoldsLockError: .* {job.pid}", done.stderr), done.stderr
        for path in files(locks):
            if "-" + "c" * 40 + "-" in path.name:
                path.unlink()
    done = peer()
    assert done.returncode == 0, done.stderr
