# SPDX-License-Identifier: GPL-2.0-or-later
"""The site of all runs, and what it should look like when none runs."""

import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from jobs import BUILD, CACHE, Site

HERE = pathlib.Path(__file__).resolve().parent
FAKE_MACHINE = BUILD / "tests/fake_machine"
GUEST = "JeOS.mini-direct"
DAMAGED = 2  # qemu-img check; 3, leaked clusters, is what a killed QEMU may leave


class Net:
    """A network of our own with a bridge, where only its guests' taps may come and go."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && ip link add vtsoak type bridge &&"
             " ip link set vtsoak up && echo ready && exec sleep 100000"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.there = self.holder.stdout.readline() == "ready\n"
        self.prefix = ("nsenter", f"--net=/proc/{self.holder.pid}/ns/net")

    @classmethod
    def make(cls):
        """None where one may not be made."""
        if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
            return None
        net = cls()
        if not net.there:
            net.remove()
            return None
        return net

    def interfaces(self):
        done = subprocess.run([*self.prefix, "ip", "-o", "link"], capture_output=True, text=True, check=True)
        return [line.split(": ")[1].split("@")[0] for line in done.stdout.splitlines()]

    def remove(self):
        self.holder.kill()
        self.holder.wait()


class World:
    """The site of all runs, and what it should look like between them."""

    def __init__(self, real=False):
        self.real = real
        self.net = None if real else Net.make()
        self.site = Site()
        self.cache = self.site.root / "cache-of-user"
        self.tmp = self.site.root / "tmp"
        self.cache.mkdir()
        if real:
            # The guest's packages are not downloaded anew.
            cached = pathlib.Path(CACHE) / "avocado-vt"
            subprocess.run(["cp", "-r", "--reflink=auto", cached, self.cache], check=True)
        target = self.site.root / "providers/soak"
        shutil.copytree(HERE / "provider/soak", target)
        (self.site.data / "test-providers.d/soak.ini").write_text(
            f"[provider]\nuri: file://{target}\n[generic]\nsubdir: generic/\n"
        )
        self.site.environment["XDG_CACHE_HOME"] = str(self.cache)
        self.bootstrap()
        self.images = {}
        for name in ("soak", "soak2", "soak3", "soak4"):
            path = self.site.data / f"images/{name}.qcow2"
            if real:
                shutil.copyfile(self.site.data / "images/jeos-mini-x86_64.qcow2", path)
            else:
                subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "16M"], check=True)
            self.images[path] = path.read_bytes()
        self.recipes = {}
        self.data_files = self.files(self.site.data)

    def bootstrap(self):
        done = self.site.avocado("vt-bootstrap", "--vt-type", "qemu", *self.bootstrap_options(), timeout=1800)
        assert done.returncode == 0, done.output

    def bootstrap_options(self):
        return [] if self.real else ["--vt-skip-verify-download-assets"]

    @staticmethod
    def files(root):
        return sorted(str(path.relative_to(root)) for path in root.rglob("*"))

    def machine_options(self):
        """Which QEMU the jobs get."""
        return ("--vt-guest-os", GUEST) if self.real else ("--vt-qemu-bin", FAKE_MACHINE)

    def params(self, params):
        """What all jobs of this world get besides."""
        guest = ["kill_vm_gracefully=yes", "skip_cluster_leak_warn=yes"] if self.real else []
        return [*params, *guest]

    def recipe(self, directory, name, params, index):
        """The recipe of a task of the test `name`, as Avocado would have made it."""
        key = (name, *params)
        if key not in self.recipes:
            settings = {"vt.type": "qemu", "vt.extra_params": list(params)}
            settings.update({"vt.guest_os": GUEST} if self.real else {"vt.qemu.qemu_bin": str(FAKE_MACHINE)})
            request = {"references": [name], "settings": settings, "data_dir": str(self.site.data)}
            done = self.site.runner("resolve", input=json.dumps(request))
            answer = json.loads(done.stdout)
            assert "error" not in answer, answer
            found = answer["resolutions"][0]
            assert len(found["names"]) == 1, answer
            self.recipes[key] = {
                "kind": "vt",
                "uri": found["names"][0],
                "kwargs": {"selection": answer["selection"], "full_name": found["full_names"][0]},
            }
        runnable = dict(self.recipes[key])
        output = directory / f"results-{index}"
        runnable["kwargs"] = {**runnable["kwargs"], "output_dir": str(output)}
        path = directory / f"recipe-{index}.json"
        path.write_text(
            json.dumps(
                {
                    "runnable": runnable,
                    "id": f"{index + 1}-{runnable['uri']}",
                    "job_id": hashlib.sha1(directory.name.encode()).hexdigest(),
                    "status_uris": [str(directory / "status")],
                }
            )
        )
        return path

    def locks_held(self):
        held = []
        for path in [*self.site.runtime.glob("locks/*"), self.site.data / ".bootstrap.lock"]:
            if path.is_file():
                with open(path, "rb") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        held.append(f"lock {path.name} ({path.read_text().strip()})")
        return held

    def images_wrong(self):
        """Each image is as it was (but for what a real guest wrote), or its backup is. Afterwards all are as they were."""
        wrong = []
        for path, content in self.images.items():
            backup = path.with_name(path.name + ".backup")
            now = path.read_bytes() if path.exists() else None
            if backup.exists():
                if backup.read_bytes() != content:
                    wrong.append(f"{backup.name} is not what was backed up")
            elif now is None or (now != content and not self.real):
                wrong.append(f"{path.name} is not what it was, and has no backup")
            elif subprocess.run(["qemu-img", "check", "-q", path], check=False).returncode in (1, DAMAGED):
                wrong.append(f"{path.name} is damaged")
            backup.unlink(missing_ok=True)
            if now != content:
                path.write_bytes(content)
        (self.site.data / "images/soak-fresh.qcow2").unlink(missing_ok=True)
        return wrong

    def leftovers(self):
        """What should not be there when nothing runs. Avocado's own temporary directories are not ours to remove."""
        wrong = [f"runtime: {path}" for path in self.site.leftovers()]
        for path in [*self.site.runtime.glob("job-*"), *self.site.runtime.glob("journal/*.jsonl")] if wrong else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        wrong += self.locks_held()
        for path in self.tmp.iterdir():
            if path.name.startswith("avocado_"):
                shutil.rmtree(path, ignore_errors=True)
            else:
                wrong.append(f"tmp: {path.name}")
        wrong += self.images_wrong()
        new = set(self.files(self.site.data)) - set(self.data_files)
        wrong += [f"data: {name}" for name in new]
        wrong += [f"cache: {path.name}" for path in self.cache.rglob("*.??????") if path.suffix.isalnum()]
        if self.net is not None:
            wrong += [f"interface: {name}" for name in self.net.interfaces() if name not in ("lo", "vtsoak")]
        wrong += [f"mount: {line}" for line in mounts_below(self.site.root)]
        return wrong

    def remove(self):
        if self.net is not None:
            self.net.remove()
        self.site.remove()


def mounts_below(root):
    return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines() if f" {root}" in line]
