# SPDX-License-Identifier: GPL-2.0-or-later
"""Avocado's remote spawner: tests run over SSH on a "host" that is a network namespace with an SSH server of its own.

The two sides share files but no network: what the runner says reaches Avocado by the link between them alone.
"""

import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

from jobs import VENV, command_line, wait_until

GUEST = ["--vt-guest-os", "JeOS.mini-direct"]


def link_numbers():
    """Two addresses of a small network that nobody else uses."""
    number = os.getpid() % 250
    return f"198.18.{number}.1", f"198.18.{number}.2"


class RemoteHost:
    """A network namespace that is joined to this host by one cable, and in it an SSH server.

    Both live as long as the server's process, and nothing of them is left behind.
    """

    def __init__(self, site, directory):
        self.site = site
        self.dir = directory
        self.ours, self.address = link_numbers()
        self.link = f"vtr{os.getpid() % 100000}"
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
        shutil.copy(directory / "user_key.pub", directory / "authorized_keys")
        shell = directory / "shell"
        # What a login on a host with plugin and runner would find.
        variables = "".join(f"export {key}='{value}'\n" for key, value in site.environment.items())
        shell.write_text(f"#!/bin/sh\n{variables}export PS1='remote# ' TERM=dumb\ncd /\nexec /bin/bash --norc --noprofile -i\n")
        shell.chmod(0o700)
        (directory / "sshd_config").write_text(
            f"ListenAddress {self.address}:22\nHostKey {directory}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\nPermitRootLogin prohibit-password\n"
            f"ForceCommand {shell}\nPrintMotd no\nPrintLastLog no\n"
        )
        self.start()

    def start(self):
        ready = self.dir / "ready"
        os.mkfifo(ready)
        script = (
            f"read -r go <'{ready}' && ip link set lo up && ip addr add {self.address}/30 dev {self.link}n && "
            f"ip link set {self.link}n up && mount -t tmpfs tmpfs /run && mkdir -m 755 /run/sshd && "
            f"exec /usr/sbin/sshd -D -e -f '{self.dir}/sshd_config'"
        )
        self.log = open(self.dir / "sshd.log", "wb")
        self.server = subprocess.Popen(
            ["unshare", "--net", "--mount", "--", "/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=self.site.environment,
        )
        try:
            wait_until("the namespace", self._has_own_network)
            self._ip("link", "add", self.link, "type", "veth", "peer", "name", f"{self.link}n", "netns", str(self.server.pid))
            self._ip("addr", "add", f"{self.ours}/30", "dev", self.link)
            self._ip("link", "set", self.link, "up")
            ready.write_text("go\n")
            wait_until("the SSH server", self._answers, 20)
        except BaseException:
            self.stop()
            raise

    def _has_own_network(self):
        assert self.server.poll() is None, (self.dir / "sshd.log").read_text()
        return os.readlink(f"/proc/{self.server.pid}/ns/net") != os.readlink("/proc/self/ns/net")

    def _answers(self):
        assert self.server.poll() is None, (self.dir / "sshd.log").read_text()
        try:
            with socket.create_connection((self.address, 22), 1) as peer:
                return peer.recv(4) == b"SSH-"
        except OSError:
            return False

    @staticmethod
    def _ip(*words):
        subprocess.run(["ip", *words], check=True)

    def slot(self):
        """The spawner's description of this host."""
        path = self.dir / "slot.json"
        path.write_text(json.dumps({
            "client": "ssh", "host": self.address, "port": 22, "username": "root", "password": "",
            "prompt": r"^remote# $", "identity_file": str(self.dir / "user_key"), "timeout": 60,
        }))
        return path

    def close_sessions(self):
        """The spawner's aexpect leaves its SSH session open after the job, for ever."""
        for pid in self.site.processes("aexpect_helper") + self.site.processes(f"@{self.address}"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self):
        """The namespace goes with the last of its processes, and the cable with the namespace."""
        self.close_sessions()
        self.server.terminate()
        try:
            self.server.wait(10)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.log.close()
        subprocess.run(["ip", "link", "del", self.link], check=False, stderr=subprocess.DEVNULL)


def _can_make_hosts():
    if os.geteuid() != 0 or not os.path.exists("/usr/sbin/sshd"):
        return False
    return subprocess.run(["unshare", "--net", "--mount", "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture
def remote(tmp_path):
    if not _can_make_hosts():
        pytest.skip("a host in a network namespace needs root and an SSH server")
    hosts = []

    def start(site):
        directory = tmp_path / f"host{len(hosts)}"
        directory.mkdir(mode=0o700)
        hosts.append(RemoteHost(site, directory))
        return hosts[-1]

    yield start
    for host in hosts:
        host.stop()


def spawner_words(site, host):
    """Avocado's options before its command and after it."""
    with socket.create_server((host.ours, 0)) as probe:
        server = f"{host.ours}:{probe.getsockname()[1]}"
    config = site.root / "remote.conf"
    config.write_text(f"[spawner.remote]\nslots = ['{host.slot()}']\n")
    words = ["--spawner", "remote", "--status-server-disable-auto", "--status-server-listen", server]
    return ["--config", config], [*words, "--status-server-uri", server]


def run(site, host, *references, options=()):
    """A job whose tests run on that host."""
    leading, words = spawner_words(site, host)
    return site.run(*references, leading=leading, options=[*words, *options])


def test_tests_without_a_machine(site, remote):
    """Each way to end arrives, with its words; an end of the test's process is known there too."""
    host = remote(site)
    job = run(site, host, "noop_native", "raises.passes", "raises.fails", "raises.segfault", "raises.whiteboard")
    assert [test.status for test in job.tests] == ["PASS", "PASS", "FAIL", "ERROR", "PASS"], (job.tests, job.output)
    assert "killed by SIGSEGV" in job.test("segfault").reason
    assert job.test("whiteboard").whiteboard
    assert "Test parameters:" in job.test("raises.passes").log


def test_a_test_with_a_machine(vm_site, remote):
    """The machine runs on the remote side: its ports are on that host's loopback, not on ours."""
    host = remote(vm_site)
    job = run(vm_site, host, "builtin.uptime", options=GUEST)
    assert job.only.status == "PASS", (job.only, job.output)
    assert "Guest uptime result is" in job.only.log
    assert (job.only.logdir / "serial-serial0-avocado-vt-vm1.log").exists()
    assert vm_site.qemus() == []
    host.close_sessions()
    wait_until("the end of the guardian", lambda: not vm_site.processes(" guardian "), 5)


def test_nothing_is_left_on_the_remote_side(site, remote):
    """Avocado's end takes its SSH session along, and the test's machine goes with that."""
    host = remote(site)
    for path in site.root.glob("*.json"):
        path.unlink()
    image = site.data / "images/remote.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "16M"], check=True)
    leading, words = spawner_words(site, host)
    avocado = site.start(
        *leading, "run", "--vt-type", "qemu", *words, "--vt-extra-params", "image_name_image1=images/remote",
        "--", "vm.sleeps",
    )
    try:
        path = site.root / "sleeps.json"
        wait_until("the test's start", lambda: path.exists() or avocado.poll() is not None, 60)
        assert path.exists(), avocado.communicate()
        pids = json.loads(path.read_text())
        assert os.readlink(f"/proc/{pids['qemu']}/ns/net") == os.readlink(f"/proc/{host.server.pid}/ns/net")
        avocado.send_signal(signal.SIGTERM)
        avocado.communicate(timeout=20)
        for name in ("supervisor", "body", "qemu"):
            wait_until(f"the end of {name}", lambda: command_line(pids[name]) == "", 5)
    finally:
        avocado.kill()
        avocado.communicate()
    host.close_sessions()
    wait_until("the end of the guardian", lambda: not site.processes(" guardian "), 5)
    site.runner("reap")
    assert site.leftovers() == []


def test_aexpect_of_a_test_is_the_runners_own(site):
    """The spawner brings a package of that name into the virtual environment."""
    assert list((VENV / "lib").glob("python3*/site-packages/aexpect/__init__.py")), "the spawner's aexpect is not there"
    script = site.root / "who.py"
    script.write_text("import aexpect, virttest\nprint(aexpect.__file__, virttest.__file__)\n")
    done = site.runner("python", script)
    assert done.returncode == 0, done.stderr
    assert "site-packages" not in done.stdout and done.stdout.count("avocado-runner-vt/python") == 2, done.stdout
