# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share: the binaries, a virtual environment with Avocado, a recording status server.

Environment: VT_BUILD (build directory, default build/release), VT_RUNNER (the runner, default VT_BUILD/bin), VT_VENV
(virtual environment with Avocado 113, default build/venv).
"""

import base64
import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from jobs import _no_site_is_left, command_line, site, vm_site  # noqa: F401 (some are fixtures for the modules here)

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build/release"))
RUNNER = pathlib.Path(os.environ.get("VT_RUNNER", BUILD / "bin/avocado-runner-vt"))
VENV = pathlib.Path(os.environ.get("VT_VENV", ROOT / "build/venv"))
PROTOCOL_RUNNER = BUILD / "tests/protocol_runner"
# In place of the real runner the protocol's test program takes no job locks.
NO_JOB_LOCK = "[plugins]\ndisable = ['job.prepost.vt-joblock']\n"


def _needed(path, what):
    if not path.exists():
        pytest.skip(f"{what} is missing: {path}")
    return path


@pytest.fixture(autouse=True)
def _no_leak_of_another_test(request):
    """A QEMU that a test killed leaves leaked clusters in the image that its module shares: the next test is not to
    be blamed for them. An image that a kept machine uses is locked and left alone."""
    if "vm_site" in request.fixturenames:
        for image in (request.getfixturevalue("vm_site").data / "images").glob("*.qcow2"):
            subprocess.run(["qemu-img", "check", "-q", "-r", "leaks", image], check=False, capture_output=True)


@pytest.fixture(scope="session")
def runner():
    """The real runner."""
    return _needed(RUNNER, "the runner")


@pytest.fixture(scope="session")
def protocol_runner():
    """The supervisor around a body that misbehaves on request (protocol_runner.cpp)."""
    return _needed(PROTOCOL_RUNNER, "the protocol's test program")


@pytest.fixture(scope="session")
def venv():
    """A virtual environment with Avocado."""
    _needed(VENV / "bin/avocado", "Avocado")
    return VENV


def decode(value):
    """A message's field as Avocado's status server decodes it."""
    if isinstance(value, dict) and "__base64_encoded__" in value:
        return base64.b64decode(value["__base64_encoded__"], validate=True)
    return value


class StatusServer:
    """Records what it is sent: `messages` (decoded), `lines` (raw). It reads as fast as `pace` lets it.

    One that is `deaf` reads nothing before hear(); with `half_lines` a connection may end in the middle of a line.
    """

    def __init__(self, listener, uri, pace=None, close_after=None, deaf=False, half_lines=False):
        self.uri = uri
        self.lines = []
        self.messages = []
        self.connections = 0
        self.arrivals = []
        self._listener = listener
        self._pace = pace
        self._close_after = close_after
        self._half_lines = half_lines
        self._may_read = threading.Event()
        if not deaf:
            self._may_read.set()
        self._stop = threading.Event()
        self._finished = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        while not self._stop.is_set():
            if select.select([self._listener], [], [], 0.02)[0]:
                connection, _ = self._listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._read, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def hear(self):
        """Begins to read."""
        self._may_read.set()

    def _read(self, connection):
        rest = b""
        self._may_read.wait()
        with connection:
            while not self._stop.is_set():
                if not select.select([connection], [], [], 0.02)[0]:
                    continue
                if self._pace:
                    time.sleep(self._pace)
                data = connection.recv(1 << 16)
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(line)
                if self._close_after is not None and len(self.lines) >= self._close_after:
                    return
        assert not rest or self._half_lines, f"half a line at the end: {rest[:100]}"

    def _take(self, line):
        self.lines.append(line)
        self.arrivals.append(time.monotonic())
        message = {key: decode(value) for key, value in json.loads(line).items()}
        self.messages.append(message)
        if message["status"] == "finished":
            self._finished.set()

    def wait(self, timeout=10):
        """Waits for `finished`."""
        assert self._finished.wait(timeout), f"no `finished` within {timeout} s: {self.messages[-3:]}"
        return self

    def settle(self):
        """Waits until the last connection is closed."""
        for thread in self._threads[1:]:
            thread.join(5)
        return self

    def wait_for(self, predicate, timeout=10):
        """Waits for a message of which `predicate` is true and returns it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for message in list(self.messages):
                if predicate(message):
                    return message
            time.sleep(0.005)
        raise AssertionError(f"the awaited message did not come within {timeout} s: {self.messages}")

    def text(self, kind):
        """All of one type of running message, joined."""
        return b"".join(m["log"] for m in self.messages if m.get("type") == kind)

    def stop(self):
        self._stop.set()
        self._may_read.set()
        for thread in self._threads:
            thread.join(2)
        self._listener.close()


@pytest.fixture
def status_server(tmp_path):
    """Makes status servers: status_server(), status_server(tcp=True)."""
    servers = []

    def make(tcp=False, **options):
        if tcp:
            listener = socket.create_server(("127.0.0.1", 0))
            uri = f"127.0.0.1:{listener.getsockname()[1]}"
        else:
            uri = str(tmp_path / f"status{len(servers)}.sock")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(uri)
            listener.listen(100)
        servers.append(StatusServer(listener, uri, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def clean_environment(tmp_path, venv, protocol_runner):
    """An environment of its own: HOME, runtime directory, PATH with the protocol's test program as the runner."""
    home = tmp_path / "home"
    bin_dir = tmp_path / "bin"
    for directory in (home / ".config/avocado", bin_dir):
        directory.mkdir(parents=True)
    for name in ("avocado-runner-vt", "avocado-runner-avocado-vt"):
        (bin_dir / name).symlink_to(protocol_runner)
    base = home / "avocado"
    (home / ".config/avocado/avocado.conf").write_text(
        f"[datadir.paths]\nbase_dir = {base}\ntest_dir = {base}/tests\ndata_dir = {base}/data\n"
        f"logs_dir = {base}/job-results\ncache_dirs = ['{base}/cache']\n"
        "[sysinfo.collect]\nenabled = False\n"
        + NO_JOB_LOCK
    )
    # Avocado's sockets lie in it, whose names may have 108 bytes.
    with tempfile.TemporaryDirectory(prefix="vt-") as short:
        yield {
            "HOME": str(home),
            "TMPDIR": short,
            "PATH": f"{bin_dir}:{venv}/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "AVOCADO_VT_RUNTIME_DIR": str(tmp_path / "run"),
        }


def pids_with(text):
    """Processes whose command line or environment contains a text."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            data = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in data:
            found.append(int(entry.name))
    return found


@pytest.fixture
def nothing_survives(tmp_path):
    """Gives a mark for the environment, and checks that no process with it is left after the test."""
    mark = f"VT_TEST_MARK={tmp_path}"
    yield mark
    end = time.monotonic() + 2
    while pids_with(mark) and time.monotonic() < end:
        time.sleep(0.02)
    left = pids_with(mark)
    commands = [command_line(pid) for pid in left]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"processes were left behind: {commands}"


@pytest.fixture
def start_task(protocol_runner, clean_environment, nothing_survives, tmp_path):
    """Starts task-run with keyword arguments for the body; returns the Popen."""
    started = []

    def start(*servers, identifier="1-test", job="0123456789abcdef", config=None, stderr=subprocess.PIPE, limits=None,
              **arguments):
        words = [str(protocol_runner), "task-run", "-i", identifier, "-j", job, "-k", "vt", "-u", "test"]
        output_dir = tmp_path / "output"
        output_dir.mkdir(exist_ok=True)
        if config is not None:
            words += ["-c", json.dumps(config)]
        words.append(f"output_dir={output_dir}")
        words += [f"{key}={value}" for key, value in arguments.items()]
        for server in servers:
            words += ["-s", getattr(server, "uri", server)]
        name, value = nothing_survives.split("=", 1)
        started.append(
            subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env={**clean_environment, name: value},
                preexec_fn=limits,
            )
        )
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def check_stream(messages):
    """What every stream of messages owes Avocado; see the facts about what hangs a job."""
    assert messages, "nothing was said at all"
    assert [m["status"] for m in messages].count("started") == 1
    assert messages[0]["status"] == "started"
    assert messages[0]["output_dir"]
    assert [m["status"] for m in messages].count("finished") == 1
    assert messages[-1]["status"] == "finished"
    times = [m["time"] for m in messages]
    assert all(isinstance(t, float) for t in times)
    assert all(a < b for a, b in zip(times, times[1:])), "times do not increase"
    assert times[-1] <= time.monotonic()
    for message in messages:
        assert message["id"] and message["job_id"]
        assert message["status"] in ("started", "running", "finished")
        if message["status"] == "running":
            check_running(message)
    result = messages[-1]["result"]
    assert result.upper() in ("PASS", "FAIL", "ERROR", "SKIP", "CANCEL", "WARN", "INTERRUPTED")
    reason = messages[-1].get("fail_reason", "")
    assert "\n" not in reason
    return messages[-1]


def check_running(message):
    """A running message: bytes in `log`, text that decodes, whole lines of output."""
    assert isinstance(message["log"], bytes)
    if "encoding" in message:
        message["log"].decode(message["encoding"])
    if "log_name" in message:
        assert message["encoding"] and message["log_levelname"] in ("DEBUG", "INFO", "WARNING", "ERROR")
    if message["type"] in ("stdout", "stderr") and "encoding" not in message:
        assert message["log"].endswith(b"\n")


def parts_of(supervisor):
    """The pids of a supervisor's body and sweeper."""
    found = {}
    for pid in map(int, pathlib.Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()):
        name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        found[{"vt-test": "body", "vt-sweeper": "sweeper"}.get(name, name)] = pid
    return found


def alive(pid):
    """True while a process runs (a zombie does not)."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
