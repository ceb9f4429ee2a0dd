# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole jobs: real Avocado, the plugin, the real runner, in a world of their own.

A `Site` has its own home, Avocado configuration, data directory and runtime directory, so that nothing of the user's is
touched and whatever is left can be told. The two fixtures cost a bootstrap each, once per session.
"""

import functools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
VENV = pathlib.Path(os.environ.get("VT_VENV", ROOT / "build/venv"))
# An image that bootstrap built once is found here again, whatever HOME a site has.
CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")


def processes_with(text):
    """Pids of the processes (no zombies) with a text in command line or environment, but not our own."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            data = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state not in "ZX" and text.encode() in data:
            found.append(int(entry.name))
    return found


def command_line(pid):
    """A process's arguments as text; empty once it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def wait_until(what, predicate, timeout=10):
    """Waits for a true value of predicate() and returns it."""
    end = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.01)


class Outcome:
    """One test of a finished job."""

    def __init__(self, data):
        self.id = data["id"]
        self.name = data["name"]
        self.status = data["status"]
        self.reason = data.get("fail_reason") or ""
        self.time = data.get("time_elapsed", 0)
        self.whiteboard = data.get("whiteboard", "")
        self.logdir = pathlib.Path(data["logdir"])

    def file(self, name):
        """A file of the test's results as bytes; empty if it is not there."""
        path = self.logdir / name
        return path.read_bytes() if path.exists() else b""

    @property
    def log(self):
        """debug.log."""
        return self.file("debug.log").decode(errors="replace")

    def __repr__(self):
        return f"{self.id} {self.status}: {self.reason}"


class Job:
    """A finished `avocado run`."""

    def __init__(self, process, results_dir):
        self.returncode = process.returncode
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.output = process.stdout + process.stderr
        self.dir = results_dir
        self.tests = []
        if results_dir is not None and (results_dir / "results.json").exists():
            data = json.loads((results_dir / "results.json").read_text())
            self.tests = [Outcome(test) for test in data["tests"]]

    def test(self, ending):
        """The one test whose name ends so."""
        found = [t for t in self.tests if t.name.endswith(ending)]
        assert len(found) == 1, f"{ending}: {found} in {self.tests}\n{self.output}"
        return found[0]

    @property
    def only(self):
        """The test of a job with one."""
        assert len(self.tests) == 1, f"{self.tests}\n{self.output}"
        return self.tests[0]


class Site:
    """A private world for Avocado."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="vt-e2e-"))
        self.mark = f"VT_TEST_MARK={self.root}"
        self.data = self.root / "data/avocado-vt"
        self.runtime = self.root / "run"
        home = self.root / "home"
        for directory in (
            home / ".config/avocado", self.root / "tmp", self.root / "host", self.data / "test-providers.d",
        ):
            directory.mkdir(parents=True)
        (home / ".config/avocado/avocado.conf").write_text(
            f"[datadir.paths]\nbase_dir = {self.root}\ntest_dir = {self.root}/tests\ndata_dir = {self.root}/data\n"
            f"logs_dir = {self.root}/results\ncache_dirs = ['{self.root}/cache']\n"
            f"[sysinfo.collect]\nenabled = False\n[plugins.vtjoblock]\ndir = {self.root}/host\n"
        )
        self.environment = {
            "HOME": str(home),
            "TMPDIR": str(self.root / "tmp"),
            "PATH": f"{BUILD}/bin:{VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "XDG_CACHE_HOME": CACHE,
            "AVOCADO_VT_RUNTIME_DIR": str(self.runtime),
            "AVOCADO_VT_HOST_DIR": str(self.root / "host"),
            "VT_TEST_MARK": str(self.root),
        }

    def start(self, *words, prefix=(), environment=None, **options):
        """Starts Avocado with these arguments."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen(
            [*prefix, f"{VENV}/bin/avocado", *map(str, words)],
            env={**self.environment, **(environment or {})},
            cwd=self.root,
            text=True,
            errors="replace",
            **options,
        )

    def avocado(self, *words, timeout=300, **options):
        """Runs Avocado to its end."""
        process = self.start(*words, **options)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            stdout, stderr = process.communicate(timeout=10)
            raise AssertionError(f"avocado {' '.join(map(str, words))} hangs:\n{stdout}{stderr}") from None
        return types.SimpleNamespace(
            returncode=process.returncode, stdout=stdout, stderr=stderr, output=stdout + stderr
        )

    def results_dirs(self):
        """The job's directories, oldest first."""
        return sorted((self.root / "results").glob("job-*"), key=lambda path: path.stat().st_mtime_ns)

    def run(self, *references, params=(), options=(), timeout=300, parallel=1, leading=(), **others):
        """A whole job of tests of type qemu; `leading` are options before Avocado's command."""
        words = [*leading, "run", "--vt-type", "qemu", "--max-parallel-tasks", parallel]
        for pair in params:
            words += ["--vt-extra-params", pair]
        before = self.results_dirs()
        process = self.avocado(*words, *options, "--", *references, timeout=timeout, **others)
        new = [path for path in self.results_dirs() if path not in before]
        assert len(new) <= 1, new
        return Job(process, new[0] if new else None)

    def runner(self, *words, **options):
        """Runs the binary itself."""
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        return subprocess.run(
            [f"{BUILD}/bin/avocado-runner-vt", *map(str, words)],
            env=self.environment,
            cwd=self.root,
            text=True,
            errors="replace",
            capture_output=True,
            timeout=60,
            check=False,
            **options,
        )

    def processes(self, word=""):
        """Pids of all that was started here and still runs; with a word only those that have it in their arguments."""
        return [pid for pid in processes_with(self.mark) if word in command_line(pid)]

    def qemus(self):
        """Pids of the virtual machines."""
        return self.processes("-name guest=")

    def no_process_within(self, seconds):
        """Waits until all that was started here is gone; the time that took."""
        start = time.monotonic()
        wait_until(
            f"the end of {[command_line(pid) for pid in self.processes()]}", lambda: not self.processes(), seconds
        )
        return time.monotonic() - start

    def leftovers(self):
        """Files in the runtime directory that a run left, but for empty locks and what is meant to be kept."""
        spared = (self.runtime / "journal", self.runtime / "journal/reap.lock", self.runtime / "selections")
        return sorted(
            str(path.relative_to(self.runtime))
            for path in self.runtime.rglob("*")
            if path.parts[len(self.runtime.parts)] not in ("locks", "cache") and path not in spared
        )

    def add_provider(self, name, section="generic"):
        """Copies a provider of tests/e2e/providers here, compiles its C++ files, and defines it."""
        target = self.root / "providers" / name
        shutil.copytree(HERE / "providers" / name, target)
        compilers = []
        for source in sorted((target / "native").glob("*.cpp")):
            compilers.append(
                subprocess.Popen(
                    ["c++", "-std=c++20", "-shared", "-fPIC", "-fvisibility=hidden", f"-I{ROOT}", str(source)]
                    + ["-o", str(target / section / "tests" / (source.stem + ".so"))]
                    + [f"-L{BUILD}/lib/avocado-runner-vt", "-lvtcore", "-lfmt"]
                    + [f"-Wl,-rpath,{BUILD}/lib/avocado-runner-vt"],
                )
            )
        assert not any([compiler.wait() for compiler in compilers])
        (self.data / f"test-providers.d/{name}.ini").write_text(
            f"[provider]\nuri: file://{target}\n[{section}]\nsubdir: {section}/\n"
        )

    def remove(self):
        """Removes all of it; what still runs is ended first."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.root, ignore_errors=True)


_sites = []


@functools.cache
def _make_site(*options):
    for path, what in ((BUILD / "bin/avocado-runner-vt", "the runner"), (VENV / "bin/avocado", "Avocado")):
        if not path.exists():
            pytest.skip(f"{what} is missing: {path}")
    site = Site()
    _sites.append(site)
    site.add_provider("statuses")
    done = site.avocado("vt-bootstrap", "--vt-type", "qemu", *options, timeout=1800)
    assert done.returncode == 0, done.output
    return site


def bootstrapped_site():
    """A site without a guest image, for programs that are no tests; they remove() it."""
    return _make_site("--vt-skip-verify-download-assets")


@pytest.fixture(scope="session")
def site():
    """A bootstrapped site without a guest image: for tests that need no machine."""
    yield _make_site("--vt-skip-verify-download-assets")
    _make_site.cache_clear()


@pytest.fixture(scope="session")
def vm_site():
    """A bootstrapped site with the built guest."""
    yield _make_site()
    _make_site.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _no_site_is_left():
    yield
    while _sites:
        site = _sites.pop()
        if "VT_KEEP" in os.environ:
            print(f"kept: {site.root}", file=sys.stderr)
        else:
            site.remove()
