# SPDX-License-Identifier: GPL-2.0-or-later
"""Whoever runs it, from wherever it is installed: root and an ordinary user, a read-only installation with data of each
user, a home with blanks in its name, a relative data directory, no HOME.

Each does what a new user does: bootstrap, list, run. Where the tests run as root, the ordinary user is `nobody`.
"""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile
import types

import pytest

from jobs import BUILD, CACHE, VENV, processes_with, wait_until

AVOCADO = VENV / "bin/avocado"
GUEST_CACHE = pathlib.Path(CACHE) / "avocado-vt/guest-image"

pytestmark = pytest.mark.skipif(
    not (BUILD / "bin/avocado-runner-vt").exists() or not AVOCADO.exists(), reason="needs `make build venv`"
)

AS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(scope="module")
def prefix():
    """An installation that belongs to root, or that at least nobody can write to."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="vt-installed-"))
    root.chmod(0o755)
    subprocess.run(["cmake", "--install", BUILD, "--prefix", root / "usr"], check=True, capture_output=True)
    for path in [root / "usr", *(root / "usr").rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield root / "usr"
    for path in [root / "usr", *(root / "usr").rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(root)


class User:
    """Somebody with a directory of their own."""

    def __init__(self, prefix, ordinary, home):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="vt-user-"))
        self.root.chmod(0o755)
        self.home = self.root / home
        self.work = self.root / "work"
        self.identity = {}
        for directory in (self.home, self.work, self.root / "tmp"):
            directory.mkdir()
        if AS_ROOT and ordinary:
            self.identity = {"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []}
        self.environment = {
            "HOME": str(self.home),
            "TMPDIR": str(self.root / "tmp"),
            "PATH": f"{prefix}/bin:{VENV}/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "AVOCADO_VT_RUNTIME_DIR": str(self.root / "run"),
            "VT_TEST_MARK": str(self.root),
        }
        self.own(self.root)

    def own(self, top):
        """Gives everything below a directory to the user."""
        if self.identity:
            for path in (top, *top.rglob("*")):
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)

    def take_guest_from_cache(self):
        """What this user would have built before, if some user has."""
        for built in GUEST_CACHE.glob("built-*"):
            target = self.home / ".cache/avocado-vt/guest-image" / built.name
            shutil.copytree(built, target)
            for directory in (target, *list(target.parents)[:2]):
                directory.chmod(0o700)
        self.own(self.home)

    def call(self, *words, status=0, timeout=600, without=()):
        environment = {key: value for key, value in self.environment.items() if key not in without}
        done = subprocess.run(
            [str(word) for word in words], env=environment, cwd=self.work, stdin=subprocess.DEVNULL, text=True,
            errors="replace", capture_output=True, timeout=timeout, check=False, **self.identity)
        output = done.stdout + done.stderr
        assert done.returncode == status, output
        return types.SimpleNamespace(stdout=done.stdout, output=output)

    def avocado(self, *words, **options):
        return self.call(AVOCADO, *words, **options)

    def bootstrap_list_and_run(self, *settings, tests=("builtin.noop_native",), bootstrap=(), **options):
        self.avocado(*settings, "vt-bootstrap", "--vt-type", "qemu", *bootstrap, **options)
        listed = self.avocado(*settings, "list", "--vt-type", "qemu", **options).stdout
        assert all(f"vt {test}" in listed for test in tests), listed
        done = self.avocado(*settings, "run", "--disable-sysinfo", "--vt-type", "qemu", "--", *tests, **options)
        assert f"PASS {len(tests)} | ERROR 0 | FAIL 0" in done.stdout, done.output

    def remove(self):
        try:
            wait_until("the end of all processes", lambda: not processes_with(str(self.root)), 10)
        finally:
            shutil.rmtree(self.root)


@pytest.fixture
def user(prefix):
    """Makes users: user(ordinary=True, home="a home")."""
    users = []

    def make(ordinary=True, home="home"):
        users.append(User(prefix, ordinary, home))
        return users[-1]

    yield make
    for one in users:
        one.remove()


NO_IMAGE = ["--vt-skip-verify-download-assets"]


def test_an_ordinary_user_of_a_read_only_installation_at_home_where_names_have_blanks(user):
    somebody = user(home="the home of  a user")
    somebody.take_guest_from_cache()
    somebody.bootstrap_list_and_run(tests=("builtin.noop_native", "builtin.uptime"))
    # Once more, with nothing to do.
    somebody.avocado("vt-bootstrap")
    data = somebody.home / "avocado/data/avocado-vt"
    assert (data / "images/jeos-mini-x86_64.qcow2").is_file()
    assert (data / "backends/qemu/cfg/base.cfg").is_file()
    # The config set is the user's to edit, whatever the installation's files may be.
    assert os.stat(data / "backends/qemu/cfg/base.cfg").st_mode & 0o200


@pytest.mark.skipif(not AS_ROOT, reason="needs root, to be root")
def test_root(user, tmp_path):
    root = user(ordinary=False)
    config = root.home / "avocado.conf"
    config.write_text(f"[datadir.paths]\nbase_dir = {root.home}\ndata_dir = {root.home}/data\n"
                      f"logs_dir = {root.home}/results\ncache_dirs = ['{root.home}/cache']\n")
    root.bootstrap_list_and_run("--config", config, bootstrap=NO_IMAGE)


def test_two_users_do_not_meet(user):
    """Bootstrap of one user is none of the other's."""
    one, other = user(), user(home="other")
    one.avocado("vt-bootstrap", *NO_IMAGE)
    assert "vt-bootstrap" in other.avocado("list", "--vt-type", "qemu", status=0).output
    other.bootstrap_list_and_run(bootstrap=NO_IMAGE)


def test_a_relative_data_directory(user):
    somebody = user()
    config = somebody.home / "avocado.conf"
    config.write_text("[vt.common]\ndata_dir = some data\n")
    somebody.own(somebody.home)
    somebody.bootstrap_list_and_run("--config", config, bootstrap=NO_IMAGE)
    assert (somebody.work / "some data/backends/qemu/cfg/subtests.cfg").is_file()
    assert not (somebody.home / "avocado/data/avocado-vt").exists()


def test_without_home(user):
    somebody = user()
    config = somebody.work / "avocado.conf"
    base = somebody.root / "work/base"
    config.write_text(f"[datadir.paths]\nbase_dir = {base}\ndata_dir = {base}/data\ntest_dir = {base}/tests\n"
                      f"logs_dir = {base}/results\ncache_dirs = ['{base}/cache']\n")
    somebody.own(somebody.work)
    somebody.bootstrap_list_and_run("--config", config, bootstrap=NO_IMAGE, without=("HOME",))


def test_a_data_directory_that_cannot_be_written_to_is_named(user):
    somebody = user()
    closed = somebody.root / "closed"
    closed.mkdir(mode=0o555)
    if AS_ROOT:
        os.chown(closed, 0, 0)
    output = somebody.call("avocado-runner-vt", "bootstrap", "--data-dir", closed / "data", status=1).output
    assert str(closed / "data") in output and "Permission denied" in output
    output = somebody.call("avocado-runner-vt", "bootstrap", *NO_IMAGE, status=0).output
    assert "8 - " in output


def test_a_data_directory_of_somebody_elses_can_be_read(user):
    """A system's data directory: root bootstraps it, everybody lists from it and runs what needs no image."""
    if not AS_ROOT:
        pytest.skip("needs root, to be somebody else")
    root, somebody = user(ordinary=False), user()
    data = root.root / "shared data"
    root.call("avocado-runner-vt", "bootstrap", "--data-dir", data, *NO_IMAGE)
    config = somebody.home / "avocado.conf"
    config.write_text(f"[vt.common]\ndata_dir = {data}\n")
    somebody.own(somebody.home)
    assert "builtin.noop_native" in somebody.avocado("--config", config, "list", "--vt-type", "qemu").stdout
    done = somebody.avocado("--config", config, "run", "--disable-sysinfo", "--vt-type", "qemu", "--",
                            "builtin.noop_native")
    assert "PASS 1" in done.stdout, done.output
    output = somebody.avocado("--config", config, "vt-bootstrap", *NO_IMAGE, status=1).output
    assert "Permission denied" in output, output
