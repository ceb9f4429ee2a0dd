# SPDX-License-Identifier: GPL-2.0-or-later
"""qemu-img, qemu-io, qemu-nbd and the storage daemon, at both levels of the module (see level.py)."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager

import _vt
from iotests import level, settings
from iotests.files import file_path
from iotests.filters import filter_img_info, filter_nbd_exports, filter_qemu_io, filter_testfiles
from iotests.logs import log
from qemu.utils import VerboseProcessError


class _Completed(subprocess.CompletedProcess):
    """What qemu_img() returns: also the exit code that it returned up to 6.2."""

    def __eq__(self, other):
        return self.returncode == other if isinstance(other, int) else self is other

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        return self.returncode < other

    def __gt__(self, other):
        return self.returncode > other

    def __bool__(self):
        # A number's truth where that is what the script counts on.
        return True if level.raises() else self.returncode != 0

    def __int__(self):
        return self.returncode

    __index__ = __int__
    __hash__ = object.__hash__


class _Output(str):
    """What qemu_io() returns: the text that it returned up to 6.2, with what a CompletedProcess has."""

    def __new__(cls, done):
        self = super().__new__(cls, done.stdout)
        self.args, self.returncode, self.stdout, self.stderr = done.args, done.returncode, done.stdout, done.stderr
        return self

    def check_returncode(self):
        """As CompletedProcess's."""
        if self.returncode:
            raise subprocess.CalledProcessError(self.returncode, self.args, self.stdout, self.stderr)


def qemu_tool_popen(args, connect_stderr=True):
    return subprocess.Popen(
        args,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if connect_stderr else None,
        universal_newlines=True,
    )


def _say_signal(tool, args, returncode):
    if returncode < 0:
        sys.stderr.write("%s received signal %i: %s\n" % (tool, -returncode, " ".join(args)))


def qemu_tool_pipe_and_status(tool, args, connect_stderr=True, drop_successful_output=False):
    """A tool's output and exit code."""
    with qemu_tool_popen(args, connect_stderr) as running:
        output = running.communicate()[0]
    _say_signal(tool, args, running.returncode)
    if drop_successful_output and running.returncode == 0:
        output = ""
    return output, running.returncode


def qemu_tool(*args, check=None, combine_stdio=True):
    """Runs a tool. Raises VerboseProcessError if it fails, unless check is False; if a signal kills it, always."""
    done = subprocess.run(
        args,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if combine_stdio else subprocess.PIPE,
        universal_newlines=True,
        check=False,
    )
    strict = level.raises()
    if done.returncode and ((strict if check is None else check) or (strict and done.returncode < 0)):
        raise VerboseProcessError(done.returncode, args, output=done.stdout, stderr=done.stderr)
    _say_signal(os.path.basename(args[0]), args, done.returncode)
    return _Completed(done.args, done.returncode, done.stdout, done.stderr)


# qemu-img


def qemu_img_create_prepare_args(args):
    """The arguments with the run's image options and, for luks, its key."""
    return _vt.block_create_arguments(
        [str(word) for word in args],
        settings.imgfmt,
        os.environ.get("IMGOPTS", ""),
        settings.luks_default_secret_object,
    )


def qemu_img(*args, check=None, combine_stdio=True):
    return qemu_tool(
        *settings.qemu_img_args, *qemu_img_create_prepare_args(args), check=check, combine_stdio=combine_stdio
    )


def qemu_img_create(*args):
    return qemu_img("create", *args)


def qemu_img_pipe_and_status(*args):
    full_args = settings.qemu_img_args + qemu_img_create_prepare_args(args)
    return qemu_tool_pipe_and_status("qemu-img", full_args)


def qemu_img_pipe(*args):
    return qemu_img_pipe_and_status(*args)[0]


def qemu_img_verbose(*args):
    """The exit code; the output goes where the script's goes."""
    full_args = settings.qemu_img_args + list(args)
    sys.stdout.flush()
    code = subprocess.call(full_args)
    _say_signal("qemu-img", full_args, code)
    return code


def qemu_img_json(*args):
    """What qemu-img prints as JSON, also if it ends with an exit code that says what it found."""
    done = qemu_img(*args, check=False, combine_stdio=False)
    try:
        if done.returncode >= 0:
            return json.loads(done.stdout)
    except json.JSONDecodeError:
        if done.returncode == 0:
            raise
    raise VerboseProcessError(done.returncode, done.args, output=done.stdout, stderr=done.stderr)


def qemu_img_measure(*args):
    return qemu_img_json("measure", "--output", "json", *args)


def qemu_img_check(*args):
    return qemu_img_json("check", "--output", "json", *args)


def qemu_img_info(*args):
    return qemu_img_json("info", "--output", "json", *args)


def qemu_img_map(*args):
    return qemu_img_json("map", "--output", "json", *args)


def qemu_img_log(*args, check=None):
    result = qemu_img(*args, check=check)
    log(result.stdout, filters=[filter_testfiles])
    return result


def img_info_log(filename, filter_path=None, imgopts=False, extra_args=(), use_image_opts=False, check=None):
    how = ["--image-opts"] if imgopts or use_image_opts else ["-f", settings.imgfmt]
    output = qemu_img("info", *how, *extra_args, filename, check=check).stdout
    log(filter_img_info(output, filter_path or filename))


def compare_images(img1, img2, fmt1=settings.imgfmt, fmt2=settings.imgfmt):
    """True if both have the same content."""
    done = qemu_img("compare", "-f", fmt1, "-F", fmt2, img1, img2, check=False)
    if done.returncode not in (0, 1) and level.raises():
        raise VerboseProcessError(done.returncode, done.args, output=done.stdout)
    return done.returncode == 0


def image_size(img):
    """Bytes that a guest sees."""
    return qemu_img_info("-f", settings.imgfmt, img)["virtual-size"]


create_image = _vt.block_create_image

# qemu-io


def qemu_io_wrap_args(args):
    plain = "-f" in args or "--image-opts" in args
    return (settings.qemu_io_args_no_fmt if plain else settings.qemu_io_args) + list(args)


def qemu_io_popen(*args):
    return qemu_tool_popen(qemu_io_wrap_args(args))


def qemu_io(*args, check=None, combine_stdio=True):
    return _Output(qemu_tool(*qemu_io_wrap_args(args), check=check, combine_stdio=combine_stdio))


def qemu_io_log(*args, check=None):
    result = qemu_io(*args, check=check)
    log(result.stdout, filters=[filter_testfiles, filter_qemu_io])
    return result


def qemu_io_silent(*args):
    """The exit code."""
    full_args = qemu_io_wrap_args(args)
    code = subprocess.run(full_args, stdout=subprocess.DEVNULL, check=False).returncode
    _say_signal("qemu-io", full_args, code)
    return code


def qemu_io_silent_check(*args):
    """True if it succeeds."""
    done = subprocess.run(
        settings.qemu_io_args + list(args), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode == 0


class QemuIoInteractive:
    """A qemu-io that takes commands."""

    _PROMPT = b"qemu-io> "

    def __init__(self, *args):
        self.args = qemu_io_wrap_args(args)
        self._p = subprocess.Popen(
            self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        output, prompted = self._read()
        if not prompted:
            self._p.wait()
            raise ValueError(output)

    def close(self):
        self._p.communicate(b"q\n")

    def _read(self):
        """What it says up to its prompt, and whether that came before its end. Dumps of whole disks come this way."""
        parts, tail = [], b""
        while tail != self._PROMPT:
            part = os.read(self._p.stdout.fileno(), 65536)
            parts.append(part)
            tail = (tail + part)[-len(self._PROMPT) :]
            if not part:
                return b"".join(parts).decode(errors="replace"), False
        return b"".join(parts)[: -len(tail)].decode(errors="replace"), True

    def cmd(self, cmd):
        assert "\n" not in cmd
        cmd = cmd.strip()
        assert cmd not in ("q", "quit"), "close() is for that"
        self._p.stdin.write(cmd.encode() + b"\n")
        output, prompted = self._read()
        assert prompted, "qemu-io has ended: " + output
        return output


# qemu-nbd and the storage daemon


def _require(program, package):
    """Ends the script as not run where a program is not installed."""
    import shutil

    if shutil.which(program) is None:
        from iotests.verify import notrun

        notrun("there is no %s here (Debian: %s)" % (program, package))


def qemu_nbd(*args):
    """Runs qemu-nbd as a daemon; its parent's exit code."""
    _require(settings.qemu_nbd_prog, "qemu-utils")
    return subprocess.call(settings.qemu_nbd_args + ["--fork"] + list(args))


def qemu_nbd_early_pipe(*args):
    """The same, with the output if it fails."""
    _require(settings.qemu_nbd_prog, "qemu-utils")
    full_args = settings.qemu_nbd_args + ["--fork"] + list(args)
    output, code = qemu_tool_pipe_and_status("qemu-nbd", full_args, connect_stderr=False)
    return code, output if code else ""


def qemu_nbd_list_log(*args):
    """Says what a server exports."""
    _require(settings.qemu_nbd_prog, "qemu-utils")
    output, _ = qemu_tool_pipe_and_status("qemu-nbd", [settings.qemu_nbd_prog, "-L", *args])
    log(output, filters=[filter_testfiles, filter_nbd_exports])
    return output


@contextmanager
def qemu_nbd_popen(*args):
    """A server for as long as the block runs."""
    from qemu.machine.process import Process

    _require(settings.qemu_nbd_prog, "qemu-utils")
    pid_file = file_path("qemu_nbd_popen-nbd-pid-file")
    assert not os.path.exists(pid_file)
    cmd = [*settings.qemu_nbd_args, "--persistent", "--pid-file", pid_file, *args]
    log("Start NBD server")
    sys.stdout.flush()
    running = Process(cmd)
    try:
        if not running.await_file(pid_file, 60.0):
            raise RuntimeError("qemu-nbd terminated with exit code %s: %s" % (running.poll(), " ".join(cmd)))
        yield
    finally:
        if os.path.exists(pid_file):
            os.remove(pid_file)
        log("Kill NBD server")
        running.kill()
        running.wait()


class QemuStorageDaemon:
    """A storage daemon, with a QMP connection if that is wanted."""

    _p = None
    _qmp = None
    _qmpsock = None

    def __init__(self, *args, instance_id="a", qmp=False):
        from qemu.machine.process import Process
        from qemu.qmp.legacy import QEMUMonitorProtocol

        assert "--pidfile" not in args
        _require(settings.qsd_prog, "qemu-system-common")
        self.pidfile = os.path.join(settings.test_dir, "qsd-%s-pid" % instance_id)
        all_args = [settings.qsd_prog, *args, "--pidfile", self.pidfile]
        if qmp:
            self._qmpsock = os.path.join(settings.sock_dir, "qsd-%s.sock" % instance_id)
            all_args += ["--chardev", "socket,id=qmp-sock,path=%s" % self._qmpsock, "--monitor", "qmp-sock"]
            self._qmp = QEMUMonitorProtocol(self._qmpsock, server=True, nickname="qsd-" + instance_id)
        sys.stdout.flush()
        self._p = Process(all_args)
        if self._qmp is not None:
            self._qmp.accept()
        if not self._p.await_file(self.pidfile, 60.0):
            raise RuntimeError(
                "qemu-storage-daemon terminated with exit code %s: %s" % (self._p.poll(), " ".join(all_args))
            )
        self._pid = self._p.pid

    def qmp(self, cmd, args=None):
        assert self._qmp is not None
        return self._qmp.cmd(cmd, args)

    def stop(self, kill_signal=15):
        running, self._p = self._p, None
        running.send_signal(kill_signal)
        running.wait()
        if self._qmp is not None:
            self._qmp.close()
        for path in (self._qmpsock, self.pidfile):
            if path is not None and os.path.exists(path):
                os.remove(path)

    def __del__(self):
        if self._p is not None:
            self.stop(kill_signal=9)
