# SPDX-License-Identifier: GPL-2.0-or-later
"""One home, one data directory, one provider, and two Avocados that see them: upstream's (build/peer) and ours."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VT_BUILD", ROOT / "build" / "release"))
VENV = pathlib.Path(os.environ.get("VT_VENV", ROOT / "build" / "venv"))
PEER = ROOT / "build" / "peer"
RUNNER = BUILD / "bin" / "avocado-runner-vt"
DRIVER = pathlib.Path(__file__).with_name("resolve_driver.py")

TYPES = ("qemu", "libvirt", "libguestfs", "openvswitch", "v2v", "lvsb", "spice", "virttools")

needs_both = pytest.mark.skipif(
    not (PEER / "bin/avocado").exists() or not RUNNER.exists() or not (VENV / "bin/avocado").exists(),
    reason="upstream's package is not installed (tools/peer.sh), or the build is missing",
)

# What tests of a type look like: header, variants, dependencies, arithmetic of parameters.
_CFG = {
    "hello": "- hello:\n    type = hello\n    start_vm = no\n",
    "boot": "- boot: install hello\n    type = boot\n    restart_vm = yes\n    kill_vm_on_error = yes\n",
    "migrate": (
        "- migrate: hello\n    type = migrate\n    mig_timeout = 3600\n    variants:\n"
        "        - tcp:\n            migration_protocol = tcp\n"
        "        - unix:\n            migration_protocol = unix\n            mig_timeout += 0\n"
        "    variants:\n        - default:\n        - with_set_speed:\n            only tcp\n            mig_speed = 1G\n"
    ),
    "unattended_install": "- unattended_install:\n    type = unattended_install\n    variants:\n        - cdrom:\n        - url:\n",
    "multi": "- multi_host: boot\n    type = multi\n",
    "shutdown": "- shutdown:\n    type = shutdown\n    kill_vm = yes\n",
}

_TESTS = {"generic": ("hello", "shutdown"), "multi_host_migration": ("multi",)}


class World:
    """The directories, and command lines through both Avocados."""

    def __init__(self, base):
        self.base = base
        self.home = base / "home"
        self.data = base / "data" / "avocado-vt"
        self.bin = base / "bin"
        self.provider = base / "provider"
        for path in (self.home, self.data, self.bin, self.provider):
            path.mkdir(parents=True)
        self._configs = 0
        # Programs that both find first; not scripts, which ours passes over. Upstream wants some of them for bootstrap.
        for name in ("qemu-kvm", "qemu-img", "qemu-io", "tcpdump", "xz", "nc", "arping", "gcc"):
            shutil.copy("/bin/true", self.bin / name)
        self.conf = self.config({})
        user = self.home / ".config" / "avocado"
        user.mkdir(parents=True)
        shutil.copy(self.conf, user / "avocado.conf")

    def config(self, sections):
        """A file of settings, with the directories."""
        lines = ["[datadir.paths]"]
        for key in ("base_dir", "test_dir", "data_dir", "logs_dir"):
            path = self.base / key.replace("_dir", "")
            path.mkdir(exist_ok=True)
            lines.append(f"{key} = {path}")
        lines += [f"cache_dirs = ['{self.base}']", "[plugins.vtjoblock]", f"dir = {self.base}"]
        for section, values in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {value}" for key, value in values.items()]
        self._configs += 1
        path = self.base / f"avocado-{self._configs}.conf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    @property
    def env(self):
        return {
            "HOME": str(self.home),
            "TMPDIR": str(self.base),
            "LANG": "C.UTF-8",
            "PATH": f"{self.bin}:{BUILD / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        }

    def _run(self, program, *arguments, **kwargs):
        return subprocess.run(
            [str(program), *map(str, arguments)],
            env=self.env, cwd=self.base, capture_output=True, text=True, check=False, timeout=600, **kwargs,
        )

    def peer(self, *arguments):
        return self._run(PEER / "bin/avocado", *arguments)

    def ours(self, *arguments):
        return self._run(VENV / "bin/avocado", *arguments)

    def runner(self, *arguments, **kwargs):
        return self._run(RUNNER, *arguments, **kwargs)

    def add_provider(self, types):
        """A provider of a directory with tests for each type."""
        lines = ["[provider]", f"uri: file://{self.provider}"]
        for name in ("generic", "multi_host_migration", *types):
            lines += [f"[{name}]", f"subdir: {name}/"]
            cfg = self.provider / name / "tests" / "cfg"
            cfg.mkdir(parents=True)
            for test in _TESTS.get(name, ("boot", "migrate", "unattended_install")):
                (cfg / f"{test}.cfg").write_text(_CFG[test], encoding="utf-8")
                (cfg.parent / f"{test}.py").write_text("def run(test, params, env):\n    pass\n", encoding="utf-8")
        for folder in (self.data / "test-providers.d", self.data / "virttest" / "test-providers.d"):
            (folder / "downloads" / "kept").mkdir(parents=True)  # upstream wants something there
        (self.data / "virttest" / "test-providers.d" / "mine.ini").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def resolve(self, interpreter, requests):
        """What an Avocado's `run` makes of command lines."""
        done = self._run(interpreter, DRIVER, input="".join(json.dumps(request) + "\n" for request in requests))
        answers = [json.loads(line) for line in done.stdout.splitlines() if line]
        assert len(answers) == len(requests), done.stderr[-3000:]
        return answers

    def compare(self, cases):
        """Both answers to each (arguments, settings): (upstream's, ours), with parameters in either."""
        requests = []
        for arguments, sections in cases:
            settings = {"vt.common": {"nettype": "user"}}
            for section, values in sections.items():
                settings[section] = {**settings.get(section, {}), **values}
            requests.append({"config": str(self.config(settings)), "argv": [str(word) for word in arguments]})
        with concurrent.futures.ThreadPoolExecutor() as pool:
            both = [pool.submit(self.resolve, place / "bin/python3", requests) for place in (PEER, VENV)]
            upstream, ours = (answers.result() for answers in both)
        self._expand(ours)
        return list(zip(upstream, ours))

    def _expand(self, answers):
        tests = [test for answer in answers for test in answer["tests"]]
        lines = "".join(json.dumps({"kind": kind, "uri": uri, "kwargs": kwargs}) + "\n" for kind, uri, kwargs in tests)
        done = self.runner("params", "-", input=lines)
        assert done.returncode == 0, done.stderr
        for test, line in zip(tests, done.stdout.splitlines(), strict=True):
            test[2] = json.loads(line)


def differences(upstream, ours):
    """What differs between two answers, in words; nothing if they are the same."""
    names = [[uri for _, uri, _ in answer["tests"]] for answer in (upstream, ours)]
    if names[0] != names[1]:
        return [f"names: upstream {names[0][:8]}, ours {names[1][:8]} ({ours['text'][-300:]})"]
    found = []
    for (_, uri, theirs), (_, _, params) in zip(upstream["tests"], ours["tests"]):
        for key in sorted(theirs.keys() | params.keys()):
            if theirs.get(key) != params.get(key):
                found.append(f"{uri}: {key}: upstream {theirs.get(key)!r}, ours {params.get(key)!r}")
    return found[:10]

