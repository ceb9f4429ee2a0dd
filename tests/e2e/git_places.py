# SPDX-License-Identifier: GPL-2.0-or-later
"""Git repositories, keys and servers that tests of providers make for themselves, and a data directory to use them in."""

import os
import pathlib
import shutil
import socket
import subprocess
import threading
import types

import pytest

BUILD = pathlib.Path(os.environ.get("VT_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build/release"))
RUNNER = BUILD / "bin/avocado-runner-vt"

TEST = "def run(test, params, env):\n    pass\n"


def config_of(name, more=""):
    """A test's config as providers write it."""
    return f"- {name}:\n    virt_test_type = qemu libvirt\n    type = {name}\n{more}"


class Repo:
    """A working repository and the bare one beside it that providers fetch from."""

    def __init__(self, base, name="tp", branch="master", home=None):
        self.base = base
        self.work = base / f"{name}-work"
        self.bare = base / f"{name}.git"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home or base),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        self.work.mkdir(parents=True)
        self.git("init", "-q", "-b", branch)
        subprocess.run(
            ["git", "init", "-q", "--bare", "-b", branch, self.bare], check=True, env=self.environment
        )
        self.git("remote", "add", "origin", self.bare)
        self.add_test("hello")
        self.commit("hello")

    def git(self, *words, cwd=None, **options):
        """Runs git; its output."""
        return subprocess.run(
            ["git", *map(str, words)],
            cwd=cwd or self.work,
            env=self.environment,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            **options,
        ).stdout.strip()

    def write(self, path, content):
        path = self.work / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def add_test(self, name, section="generic"):
        self.write(f"{section}/tests/{name}.py", TEST)
        self.write(f"{section}/tests/cfg/{name}.cfg", config_of(name))

    def commit(self, message, *options):
        """Commits everything and publishes it; the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, *options)
        self.publish()
        return self.git("rev-parse", "HEAD")

    def publish(self):
        self.git("push", "-q", "--force", "origin", "--all")
        self.git("push", "-q", "--force", "origin", "--tags")

    def replace_history(self, make):
        """Publishes the commit that make(git) returns the id of, made by hand below the usual commands."""
        self.git("push", "-q", "--force", "origin", f"{make(self.git)}:refs/heads/master")


class Place:
    """A data directory with providers, used through the binary itself."""

    def __init__(self, base):
        self.base = base
        self.data = base / "data"
        self.definitions = self.data / "test-providers.d"
        self.downloads = self.data / "virttest/test-providers.d/downloads"
        self.definitions.mkdir(parents=True)
        (base / "home").mkdir()
        self.environment = {
            "PATH": f"{BUILD}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(base / "home"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(base),
            "AVOCADO_VT_RUNTIME_DIR": str(base / "run"),
            "XDG_CACHE_HOME": str(base / "cache"),
        }

    def define(self, uri, name="mine", sections=("generic",), **keys):
        """Writes a definition."""
        lines = ["[provider]", f"uri: {uri}"] + [f"{key}: {value}" for key, value in keys.items()]
        for section in sections:
            lines += [f"[{section}]", f"subdir: {section}/"]
        (self.definitions / f"{name}.ini").write_text("\n".join(lines) + "\n")

    def command(self, *options):
        words = [RUNNER, "bootstrap", "--data-dir", self.data, "--vt-skip-verify-download-assets", *options]
        return [str(word) for word in words]

    def bootstrap(self, *options, timeout=60):
        """Bootstraps; status and output."""
        done = subprocess.run(
            self.command(*options),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        output = (done.stdout + done.stderr).decode()  # it is text, whatever it speaks of
        return types.SimpleNamespace(returncode=done.returncode, output=output)

    def tests(self, *references, vt_type="qemu"):
        """The short names of the tests that are listed."""
        done = subprocess.run(
            [RUNNER, "list", "--data-dir", self.data, "--vt-type", vt_type, *references],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0 or "No tests match" in done.stderr or not done.stderr, done.stderr
        return done.stdout.split()

    def checkout(self, name="mine"):
        return self.downloads / name

    def git(self, *words, name="mine"):
        """Runs git in a checkout, as its user would."""
        return subprocess.run(
            ["git", "-c", "user.name=U", "-c", "user.email=u@example.org", *map(str, words)],
            cwd=self.checkout(name),
            env={**self.environment, "GIT_CONFIG_GLOBAL": "/dev/null"},
            check=True,
            text=True,
            capture_output=True,
        ).stdout.strip()

    def leftovers(self):
        """What a run should not leave in the downloads."""
        hidden = [path for path in self.downloads.glob(".*")]
        return hidden + [path for path in self.downloads.glob("*/.git/*busy*")]


class GitServer:
    """git:// on the loopback for repositories below a directory, which can fall silent in the middle of an answer."""

    def __init__(self, base):
        self.base = base
        self.limit = None  # bytes after which it says nothing any more
        self.stalled = threading.Event()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._processes = []
        self._sockets = []
        self._threads = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def uri(self, repo):
        return f"git://127.0.0.1:{self._listener.getsockname()[1]}/{repo.bare.relative_to(self.base)}"

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(connection)
            daemon = subprocess.Popen(
                ["git", "daemon", "--inetd", "--export-all", f"--base-path={self.base}", str(self.base)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            self._processes.append(daemon)
            for pump in (self._ask, self._answer):
                self._threads.append(threading.Thread(target=pump, args=(connection, daemon), daemon=True))
                self._threads[-1].start()

    @staticmethod
    def _ask(connection, daemon):
        try:
            while data := connection.recv(1 << 16):
                daemon.stdin.write(data)
            daemon.stdin.close()
        except OSError:
            pass

    def _answer(self, connection, daemon):
        sent = 0
        try:
            while data := os.read(daemon.stdout.fileno(), 4096):
                if self.limit is not None and sent + len(data) > self.limit:
                    self.stalled.set()
                    return
                connection.sendall(data)
                sent += len(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        """Ends all threads before a descriptor is closed: its number may soon be another server's."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was quicker
        for process in self._processes:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join()
        for file in [self._listener, *self._sockets, *[p.stdin for p in self._processes], *[p.stdout for p in self._processes]]:
            file.close()


class Gpg:
    """A private GnuPG with keys of its own; its agent ends with it."""

    def __init__(self, base):
        # Short: its sockets lie in it.
        self.home = pathlib.Path(subprocess.check_output(["mktemp", "-d", "/tmp/vt-gpg-XXXXXX"], text=True).strip())
        self.base = base
        self.environment = {"GNUPGHOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def _gpg(self, *words, **options):
        return subprocess.run(
            ["gpg", "--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", *words],
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **options,
        ).stdout

    def key(self, user, expires="never", when=None):
        """Makes a key that can sign, now or at another time; its user id."""
        clock = ["--faked-system-time", when] if when else []
        self._gpg(*clock, "--quick-generate-key", f"{user} <{user}@example.org>", "ed25519", "sign", expires)
        return f"{user}@example.org"

    def revoke(self, user):
        """Imports the revocation certificate that came with the key."""
        lines = self._gpg("--list-keys", "--with-colons", user).decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in lines if line.startswith("fpr"))
        text = (self.home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text()
        self._gpg("--import", input=text.replace(":-----BEGIN", "-----BEGIN").encode())

    def export(self, user, path, armored=True):
        path.write_bytes(self._gpg("--export", *(["--armor"] if armored else []), user))
        return path

    def sign_with(self, repo, user):
        """Makes a repository's `git tag -s` and `git commit -S` use a key."""
        repo.environment["GNUPGHOME"] = str(self.home)
        repo.git("config", "gpg.format", "openpgp")
        repo.git("config", "user.signingkey", user)

    def stop(self):
        subprocess.run(["gpgconf", "--kill", "all"], env=self.environment, check=False)
        shutil.rmtree(self.home, ignore_errors=True)


@pytest.fixture
def place(tmp_path, runner):  # pylint: disable=unused-argument
    return Place(tmp_path)


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "remote")


@pytest.fixture
def server(tmp_path):
    started = GitServer(tmp_path / "remote")
    yield started
    started.stop()


def listed(place, *references):
    """Names of tests, without the built-in ones."""
    return [name for name in place.tests(*references) if not name.startswith("builtin.")]
