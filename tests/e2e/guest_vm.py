# SPDX-License-Identifier: GPL-2.0-or-later
"""A bare QEMU virtual machine for tests of guest images: no runner in between, so that what fails is the image."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class GuestVm:
    """QEMU under TCG on a throw-away overlay, with SSH on a forwarded port, a serial console and QMP."""

    def __init__(self, disk, password, machine="q35", disk_device="virtio-blk-pci,drive=disk",
                 nic="virtio-net-pci", kernel=None, memory=512):
        self.password = password
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="guest-vm-"))
        self.overlay = self.dir / "overlay.qcow2"
        disk = pathlib.Path(disk).resolve()
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk), str(self.overlay)],
                       check=True)
        askpass = self.dir / "askpass"
        askpass.write_text('#!/bin/sh\ncat "$GUEST_VM_PASSWORD"\n')
        askpass.chmod(0o700)
        (self.dir / "password").write_text(password + "\n")
        self.port = _free_port()
        argv = ["qemu-system-x86_64", "-machine", machine, "-accel", "tcg,thread=multi", "-m", str(memory), "-smp", "2",
                "-nodefaults", "-display", "none", "-vga", "std",
                "-serial", f"unix:{self.dir}/serial,server=on,wait=off",
                "-qmp", f"unix:{self.dir}/qmp,server=on,wait=off",
                "-drive", f"if=none,id=disk,file={self.overlay},cache=unsafe",
                "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", f"{nic},netdev=net",
                "-device", "virtio-balloon"]
        for device in disk_device.split():
            argv += ["-device", device]
        if kernel:
            argv += ["-kernel", kernel[0], "-initrd", kernel[1], "-append", kernel[2]]
        self.started = time.monotonic()
        with open(self.dir / "qemu.log", "wb") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        self.serial_text = b""
        self._serial_news = threading.Condition()
        self._serial = self._connect("serial")
        # Read whatever happens: a guest whose serial line nobody reads stands still.
        threading.Thread(target=self._read_serial, daemon=True).start()
        self._qmp = self._connect("qmp").makefile("rw")
        self._qmp.readline()
        self.qmp("qmp_capabilities")

    def _connect(self, name):
        deadline = time.monotonic() + 20
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(str(self.dir / name))
                return client
            except OSError:
                client.close()
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((self.dir / "qemu.log").read_text()) from None
                time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.dir)

    def qmp(self, command, **arguments):
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp.flush()
        while True:
            answer = json.loads(self._qmp.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def _read_serial(self):
        while True:
            try:
                data = self._serial.recv(65536)
            except OSError:
                data = b""
            with self._serial_news:
                self.serial_text += data
                self._serial_news.notify_all()
            if not data:
                return

    def expect(self, pattern, timeout, since=0):
        """Waits until the serial line said pattern; returns where it ends."""
        expression = re.compile(pattern)
        with self._serial_news:
            if not self._serial_news.wait_for(lambda: expression.search(self.serial_text, since), timeout):
                raise AssertionError(f"no {pattern} in {timeout} s; last: {self.serial_text[-800:]}")
            return expression.search(self.serial_text, since).end()

    def serial(self, text, pattern, timeout=30):
        """Sends text and returns what came up to and with pattern."""
        since = len(self.serial_text)
        self._serial.sendall(text.encode())
        end = self.expect(pattern, timeout, since)
        return self.serial_text[since:end].decode(errors="replace")

    def _ssh_environment(self):
        return dict(os.environ, SSH_ASKPASS=str(self.dir / "askpass"), SSH_ASKPASS_REQUIRE="force", DISPLAY=":0",
                    GUEST_VM_PASSWORD=str(self.dir / "password"))

    def _ssh_options(self):
        return ["-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "-o", "LogLevel=ERROR"]

    def ssh(self, command, timeout=60):
        done = subprocess.run(["ssh", *self._ssh_options(), "-p", str(self.port), "root@127.0.0.1", command],
                              env=self._ssh_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, start_new_session=True)
        assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def copy_to(self, source, target, legacy=False):
        done = subprocess.run(["scp", *(["-O"] if legacy else []), *self._ssh_options(), "-P", str(self.port),
                               str(source), f"root@127.0.0.1:{target}"],
                              env=self._ssh_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, start_new_session=True)
        assert done.returncode == 0, done.stderr

    def wait_for_ssh(self, timeout):
        """Waits until the guest's SSH server greets; returns the seconds since QEMU's start."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self.process.poll() is None:
            # A connection that user networking took before the guest had its address stays silent: try anew.
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as probe:
                    if probe.recv(4).startswith(b"SSH"):
                        return time.monotonic() - self.started
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"no SSH server in {timeout} s; qemu: {(self.dir / 'qemu.log').read_text()}")

    def power_down(self, timeout):
        """Presses the power button; returns the seconds until QEMU has exited."""
        pressed = time.monotonic()
        self.qmp("system_powerdown")
        assert self.process.wait(timeout) == 0
        return time.monotonic() - pressed
